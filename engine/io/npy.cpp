#include "io/npy.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "io/atomic_file.hpp"

namespace lossmap {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct TypeCode {
    std::string_view code;  // kind and size; the byte order stands in front
    DType dtype;
};
constexpr std::array kTypeCodes = {
    TypeCode{"f4", DType::f32}, TypeCode{"f8", DType::f64}, TypeCode{"f2", DType::f16}, TypeCode{"i1", DType::i8},
    TypeCode{"i2", DType::i16}, TypeCode{"i4", DType::i32}, TypeCode{"i8", DType::i64}, TypeCode{"u1", DType::u8},
    TypeCode{"u2", DType::u16}, TypeCode{"u4", DType::u32}, TypeCode{"u8", DType::u64}, TypeCode{"b1", DType::boolean},
};

/// The header is the text of a Python dictionary with three keys; only that much Python is understood.
class HeaderText {
public:
    HeaderText(std::string_view text, const std::string& source) : text_(text), source_(source) {}

    [[nodiscard]] NpyHeader parse() {
        expect('{');
        while (!accept('}')) {
            const std::string_view key = quoted();
            expect(':');
            if (key == "descr") {
                parse_descr();
            } else if (key == "fortran_order") {
                parse_order();
            } else if (key == "shape") {
                parse_shape();
            } else {
                malformed();
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        if (!descr_ || !fortran_order_ || !shape_) malformed();
        if (*fortran_order_ && shape_->size() > 1) {
            throw InputError("{}: is in Fortran order, expected C order (numpy.ascontiguousarray)", source_);
        }
        return {*descr_, *shape_, 0};
    }

private:
    [[noreturn]] void malformed() const { throw InputError("{}: the .npy header is malformed", source_); }

    void skip_space() {
        const std::size_t end = text_.find_first_not_of(" \t\n");
        text_.remove_prefix(std::min(end, text_.size()));
    }
    bool accept(char character) {
        skip_space();
        if (text_.empty() || text_.front() != character) return false;
        text_.remove_prefix(1);
        return true;
    }
    void expect(char character) {
        if (!accept(character)) malformed();
    }
    bool accept_word(std::string_view word) {
        skip_space();
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }
    std::string_view quoted() {
        skip_space();
        if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) malformed();
        const std::size_t end = text_.find(text_.front(), 1);
        if (end == std::string_view::npos) malformed();
        const std::string_view value = text_.substr(1, end - 1);
        text_.remove_prefix(end + 1);
        return value;
    }

    void parse_descr() {
        skip_space();
        if (text_.starts_with('[')) throw InputError("{}: is a structured array, expected plain numbers", source_);
        const std::string_view descr = quoted();
        const char order = descr.empty() ? '?' : descr.front();
        if (order == '>') throw InputError("{}: is big endian ('{}'), expected little endian", source_, descr);
        const std::string_view code = descr.substr(std::min<std::size_t>(1, descr.size()));
        const auto* const known =
            std::find_if(kTypeCodes.begin(), kTypeCodes.end(), [&](const TypeCode& type) { return type.code == code; });
        if ((order != '<' && order != '|' && order != '=') || known == kTypeCodes.end()) {
            throw InputError("{}: has elements of type '{}', expected floats, integers or bool", source_, descr);
        }
        descr_ = known->dtype;
    }

    void parse_order() {
        if (accept_word("True")) {
            fortran_order_ = true;
        } else if (accept_word("False")) {
            fortran_order_ = false;
        } else {
            malformed();
        }
    }

    void parse_shape() {
        Shape shape;
        expect('(');
        while (!accept(')')) {
            skip_space();
            std::int64_t extent = -1;
            const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), extent);
            if (error != std::errc() || extent < 0) malformed();
            text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
            accept('L');  // Python 2 wrote long integers so
            shape.push_back(extent);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        shape_ = std::move(shape);
    }

    std::string_view text_;
    const std::string& source_;
    std::optional<DType> descr_;
    std::optional<bool> fortran_order_;
    std::optional<Shape> shape_;
};

std::string descr_of(DType dtype) {
    const auto* const known =
        std::find_if(kTypeCodes.begin(), kTypeCodes.end(), [&](const TypeCode& type) { return type.dtype == dtype; });
    if (known == kTypeCodes.end()) throw InternalError("{} is no NumPy type", name_of(dtype));
    return fmt::format("{}{}", size_of(dtype) == 1 ? '|' : '<', known->code);
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& source) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!text.starts_with(kMagic)) throw InputError("{}: is not a .npy file", source);
    constexpr std::size_t kVersionBytes = 2;
    const std::size_t length_offset = kMagic.size() + kVersionBytes;
    if (text.size() < length_offset) throw InputError("{}: the .npy header is truncated", source);
    const auto byte_at = [&](std::size_t i) { return static_cast<std::size_t>(bytes[i]); };
    const std::size_t version = byte_at(kMagic.size());
    if (version < 1 || version > 3) throw InputError("{}: has .npy version {}, expected 1 to 3", source, version);
    const std::size_t length_bytes = version == 1 ? 2 : 4;
    if (text.size() < length_offset + length_bytes) throw InputError("{}: the .npy header is truncated", source);
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i)
        length |= byte_at(length_offset + i) << (8 * i);
    const std::size_t start = length_offset + length_bytes;
    if (text.size() - start < length) throw InputError("{}: the .npy header is truncated", source);
    NpyHeader header = HeaderText(text.substr(start, length), source).parse();
    header.data_offset = start + length;
    return header;
}

ArrayBytes parse_npy(std::span<const std::byte> bytes, std::string source) {
    const NpyHeader header = parse_npy_header(bytes, source);
    const std::size_t expected = checked_size_bytes(header.dtype, header.shape, source);
    const std::size_t present = bytes.size() - header.data_offset;
    if (present != expected) {
        throw InputError("{}: holds {} bytes of elements, expected {} for {} of shape {}", source, present, expected,
                         name_of(header.dtype), to_string(header.shape));
    }
    ArrayBytes array;
    array.source = std::move(source);
    array.dtype = header.dtype;
    array.shape = header.shape;
    array.bytes = bytes.subspan(header.data_offset);
    return array;
}

ArrayBytes map_npy(const std::filesystem::path& file) {
    auto mapped = std::make_shared<const MappedFile>(file);
    ArrayBytes array = parse_npy(mapped->bytes(), file.string());
    array.file = std::move(mapped);
    return array;
}

std::string npy_header(DType dtype, const Shape& shape) {
    std::string extents;
    for (const std::int64_t extent : shape)
        extents += fmt::format("{}, ", extent);
    if (shape.size() > 1) extents.resize(extents.size() - 2);  // (3,) but (3, 4)
    if (shape.size() == 1) extents.resize(extents.size() - 1);
    std::string text =
        fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr_of(dtype), extents);
    constexpr std::size_t kPreamble = 10;
    constexpr std::size_t kAlignment = 64;
    const std::size_t unpadded = kPreamble + text.size() + 1;
    text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
    text += '\n';
    std::string header(kMagic);
    header += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
    return header + text;
}

void write_npy(const std::filesystem::path& file, const ConstTensorView& tensor) {
    std::string content = npy_header(tensor.dtype, tensor.shape);
    content.append(static_cast<const char*>(tensor.data),
                   checked_size_bytes(tensor.dtype, tensor.shape, file.string()));
    write_file_atomically(file, content);
}

}  // namespace lossmap
