#include "io/safetensors.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "io/atomic_file.hpp"

namespace lossmap {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  // the limit of the format's own implementation
constexpr std::string_view kMetadata = "__metadata__";

struct TypeCode {
    std::string_view code;
    DType dtype;
};
constexpr std::array kTypeCodes = {
    TypeCode{"F32", DType::f32},      TypeCode{"F64", DType::f64}, TypeCode{"F16", DType::f16},
    TypeCode{"BF16", DType::bf16},    TypeCode{"I8", DType::i8},   TypeCode{"I16", DType::i16},
    TypeCode{"I32", DType::i32},      TypeCode{"I64", DType::i64}, TypeCode{"U8", DType::u8},
    TypeCode{"U16", DType::u16},      TypeCode{"U32", DType::u32}, TypeCode{"U64", DType::u64},
    TypeCode{"BOOL", DType::boolean},
};

DType dtype_of_code(const std::string& code, const std::string& source) {
    const auto* const known =
        std::find_if(kTypeCodes.begin(), kTypeCodes.end(), [&](const TypeCode& type) { return type.code == code; });
    if (known == kTypeCodes.end())
        throw InputError("{}: has elements of type '{}', which is not supported", source, code);
    return known->dtype;
}

std::string_view code_of(DType dtype) {
    return std::find_if(kTypeCodes.begin(), kTypeCodes.end(), [&](const TypeCode& type) { return type.dtype == dtype; })
        ->code;
}

std::vector<std::int64_t> natural_numbers(const Json& entry, const char* key, const std::string& source) {
    std::vector<std::int64_t> numbers;
    if (!entry.is_object() || !entry.contains(key) || !entry[key].is_array()) {
        throw InputError("{}: the header lacks the list '{}'", source, key);
    }
    for (const Json& number : entry[key]) {
        // A number above the signed range turns negative here and is refused with the others.
        const std::int64_t value = number.is_number_integer() ? number.get<std::int64_t>() : -1;
        if (value < 0)
            throw InputError("{}: '{}' in the header holds something else than natural numbers", source, key);
        numbers.push_back(value);
    }
    return numbers;
}

ArrayBytes read_entry(const Json& entry, std::span<const std::byte> data, std::string source) {
    const Shape shape = natural_numbers(entry, "shape", source);
    const std::vector<std::int64_t> offsets = natural_numbers(entry, "data_offsets", source);
    if (!entry.contains("dtype") || !entry["dtype"].is_string())
        throw InputError("{}: the header lacks 'dtype'", source);
    ArrayBytes array;
    array.dtype = dtype_of_code(entry["dtype"].get<std::string>(), source);
    const std::size_t size_bytes = checked_size_bytes(array.dtype, shape, source);
    if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<std::size_t>(offsets[1]) > data.size()) {
        throw InputError("{}: the data offsets lie outside the file", source);
    }
    if (static_cast<std::size_t>(offsets[1] - offsets[0]) != size_bytes) {
        throw InputError("{}: has {} bytes, expected {} for {} of shape {}", source, offsets[1] - offsets[0],
                         size_bytes, name_of(array.dtype), to_string(shape));
    }
    array.source = std::move(source);
    array.shape = shape;
    array.bytes = data.subspan(static_cast<std::size_t>(offsets[0]), size_bytes);
    return array;
}

// The format wants every byte to belong to exactly one tensor.
void require_no_gap(const std::map<std::string, ArrayBytes>& arrays, std::span<const std::byte> data,
                    const std::string& file) {
    std::vector<std::span<const std::byte>> parts;
    for (const auto& [name, array] : arrays)
        parts.push_back(array.bytes);
    std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
        return a.data() != b.data() ? a.data() < b.data() : a.size() < b.size();
    });
    const std::byte* end = data.data();
    for (const auto& part : parts) {
        if (part.data() != end) throw InputError("{}: tensors overlap or leave a gap between them", file);
        end += part.size();
    }
    if (end != data.data() + data.size()) throw InputError("{}: other bytes follow the tensors", file);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file) : file_(std::make_shared<const MappedFile>(file)) {
    read_header();
}

void SafetensorsFile::read_header() {
    const std::string file = file_->path().string();
    const std::span<const std::byte> bytes = file_->bytes();
    if (bytes.size() < kLengthBytes) throw InputError("{}: is too short for a safetensors file", file);
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        length |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    if (length > kMostHeaderBytes || length > bytes.size() - kLengthBytes) {
        throw InputError("{}: is no safetensors file or truncated (a header of {} bytes in a file of {})", file, length,
                         bytes.size());
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
    const Json header = Json::parse(text, nullptr, false);
    if (!header.is_object()) throw InputError("{}: the safetensors header is not a JSON object", file);
    const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
    for (const auto& [name, entry] : header.items()) {
        if (name == kMetadata) {
            for (const auto& [key, value] : entry.items()) {
                if (value.is_string()) metadata_[key] = value.get<std::string>();
            }
            continue;
        }
        ArrayBytes array = read_entry(entry, data, fmt::format("{}: tensor '{}'", file, name));
        array.file = file_;
        if (!arrays_.emplace(name, std::move(array)).second)
            throw InputError("{}: tensor '{}' is there twice", file, name);
        names_.push_back(name);
    }
    require_no_gap(arrays_, data, file);
}

const ArrayBytes& SafetensorsFile::array(const std::string& name) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end()) throw InputError("{}: has no tensor '{}'", file_->path().string(), name);
    return found->second;
}

void write_safetensors(const std::filesystem::path& file,
                       const std::vector<std::pair<std::string, ConstTensorView>>& tensors,
                       const std::map<std::string, std::string>& metadata) {
    Json header = Json::object();
    if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const std::size_t begin = data.size();
        data.append(static_cast<const char*>(tensor.data),
                    checked_size_bytes(tensor.dtype, tensor.shape, file.string()));
        header[name] = {
            {"dtype", code_of(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');  // tensors start aligned
    std::string content;
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        content += static_cast<char>(text.size() >> (8 * i) & 0xff);
    write_file_atomically(file, content + text + data);
}

}  // namespace lossmap
