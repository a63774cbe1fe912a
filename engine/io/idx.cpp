#include "io/idx.hpp"

#include "core/error.hpp"
#include "io/gzip.hpp"

namespace lossmap {

namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kExtentBytes = 4;
constexpr std::size_t kMostRank = 255;
constexpr unsigned kUnsignedByte = 0x08;

struct IdxHeader {
    Shape shape;
    std::size_t data_offset = 0;
};

IdxHeader parse_header(std::span<const std::byte> bytes, const std::string& source) {
    if (bytes.size() < kMagicBytes || bytes[0] != std::byte{0} || bytes[1] != std::byte{0}) {
        throw InputError("{}: is not an IDX file", source);
    }
    const auto type = static_cast<unsigned>(bytes[2]);
    const auto rank = static_cast<std::size_t>(bytes[3]);
    if (type != kUnsignedByte) {
        throw InputError("{}: has IDX element type 0x{:02x}, expected unsigned bytes (0x08)", source, type);
    }
    IdxHeader header;
    header.data_offset = kMagicBytes + rank * kExtentBytes;
    if (bytes.size() < header.data_offset) throw InputError("{}: the IDX header is truncated", source);
    for (std::size_t axis = 0; axis < rank; ++axis) {
        std::int64_t extent = 0;
        for (std::size_t i = 0; i < kExtentBytes; ++i) {
            extent = extent << 8 | static_cast<std::int64_t>(bytes[kMagicBytes + axis * kExtentBytes + i]);
        }
        header.shape.push_back(extent);
    }
    return header;
}

}  // namespace

ArrayBytes read_idx(const std::filesystem::path& file) {
    ArrayBytes array;
    array.source = file.string();
    auto mapped = std::make_shared<const MappedFile>(file);
    std::span<const std::byte> bytes = mapped->bytes();
    const bool packed = is_gzip(bytes);
    const IdxHeader header = parse_header(
        packed ? decode_gzip_prefix(bytes, kMagicBytes + kMostRank * kExtentBytes, array.source)
               : std::vector<std::byte>(bytes.begin(),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                            bytes.size(), kMagicBytes + kMostRank * kExtentBytes))),
        array.source);
    const std::size_t expected = checked_size_bytes(DType::u8, header.shape, array.source);
    if (packed) {
        array.memory = std::make_shared<const std::vector<std::byte>>(
            decode_gzip(bytes, header.data_offset + expected, array.source));
        bytes = *array.memory;
    } else {
        array.file = std::move(mapped);
    }
    const std::size_t present = bytes.size() - header.data_offset;
    if (present != expected) {
        throw InputError("{}: holds {} bytes of elements, expected {} for shape {}", array.source, present, expected,
                         to_string(header.shape));
    }
    array.dtype = DType::u8;
    array.shape = header.shape;
    array.bytes = bytes.subspan(header.data_offset);
    return array;
}

}  // namespace lossmap
