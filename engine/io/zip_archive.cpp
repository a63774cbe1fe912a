#include "io/zip_archive.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.hpp"
#include "io/gzip.hpp"

namespace lossmap {

namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kDirectorySignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kDirectoryBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocator64Bytes = 20;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint32_t kMoved32 = 0xffffffff;  // the value stands in the zip64 record
constexpr std::uint16_t kMoved16 = 0xffff;

/// Little-endian numbers at checked offsets.
class Bytes {
public:
    Bytes(std::span<const std::byte> bytes, const std::string& source) : bytes_(bytes), source_(source) {}

    [[nodiscard]] std::uint16_t u16(std::uint64_t offset) const {
        return static_cast<std::uint16_t>(number(offset, 2));
    }
    [[nodiscard]] std::uint32_t u32(std::uint64_t offset) const {
        return static_cast<std::uint32_t>(number(offset, 4));
    }
    [[nodiscard]] std::uint64_t u64(std::uint64_t offset) const { return number(offset, 8); }
    [[nodiscard]] std::span<const std::byte> part(std::uint64_t offset, std::uint64_t size) const {
        if (offset > bytes_.size() || size > bytes_.size() - offset) damaged();
        return bytes_.subspan(offset, size);
    }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[noreturn]] void damaged() const { throw InputError("{}: the zip archive is damaged or truncated", source_); }

private:
    [[nodiscard]] std::uint64_t number(std::uint64_t offset, std::size_t size) const {
        std::uint64_t value = 0;
        const auto bytes = part(offset, size);
        for (std::size_t i = 0; i < size; ++i)
            value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
        return value;
    }

    std::span<const std::byte> bytes_;
    const std::string& source_;
};

struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t count = 0;
};

Directory find_directory(const Bytes& bytes, const std::string& source) {
    if (bytes.size() < kEndBytes || bytes.u16(0) != (kLocalSignature & 0xffff)) {
        throw InputError("{}: is not a zip archive", source);
    }
    // The end record has a comment of up to 65,535 bytes behind it.
    const std::size_t last = bytes.size() - kEndBytes;
    const std::size_t first = last > kMoved16 ? last - kMoved16 : 0;
    std::optional<std::size_t> end;
    for (std::size_t offset = last + 1; offset-- > first && !end;) {
        if (bytes.u32(offset) == kEndSignature && bytes.u16(offset + 20) == bytes.size() - offset - kEndBytes)
            end = offset;
    }
    if (!end) bytes.damaged();
    Directory directory{bytes.u32(*end + 16), bytes.u32(*end + 12), bytes.u16(*end + 10)};
    if (*end >= kLocator64Bytes && bytes.u32(*end - kLocator64Bytes) == kLocator64Signature) {
        const std::uint64_t end64 = bytes.u64(*end - kLocator64Bytes + 8);
        static_cast<void>(bytes.part(end64, kEnd64Bytes));
        if (bytes.u32(end64) != kEnd64Signature) bytes.damaged();
        directory = {bytes.u64(end64 + 48), bytes.u64(end64 + 40), bytes.u64(end64 + 32)};
    }
    static_cast<void>(bytes.part(directory.offset, directory.size_bytes));
    if (directory.count > directory.size_bytes / kDirectoryBytes) bytes.damaged();
    return directory;
}

/// Replaces the numbers of an entry that did not fit 32 bits; they stand in this order, each only if it was moved.
void read_zip64_extra(const Bytes& bytes, std::uint64_t offset, std::uint64_t size, ZipEntry& entry) {
    const std::uint64_t end = offset + size;
    while (offset + 4 <= end) {
        const std::uint16_t kind = bytes.u16(offset);
        const std::uint64_t next = offset + 4 + bytes.u16(offset + 2);
        if (next > end) bytes.damaged();
        if (kind == kZip64Extra) {
            std::uint64_t at = offset + 4;
            for (std::uint64_t* value : {&entry.size_bytes, &entry.compressed_bytes, &entry.header_offset}) {
                if (*value != kMoved32) continue;
                if (at + 8 > next) bytes.damaged();
                *value = bytes.u64(at);
                at += 8;
            }
        }
        offset = next;
    }
}

std::vector<ZipEntry> read_directory(const Bytes& bytes, const std::string& source) {
    const Directory directory = find_directory(bytes, source);
    std::vector<ZipEntry> entries;
    std::uint64_t offset = directory.offset;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
        if (bytes.u32(offset) != kDirectorySignature) bytes.damaged();
        const std::uint16_t name_bytes = bytes.u16(offset + 28);
        const std::uint16_t extra_bytes = bytes.u16(offset + 30);
        const std::uint16_t comment_bytes = bytes.u16(offset + 32);
        const auto name = bytes.part(offset + kDirectoryBytes, name_bytes);
        ZipEntry entry;
        entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
        entry.method = bytes.u16(offset + 10);
        entry.crc = bytes.u32(offset + 16);
        entry.compressed_bytes = bytes.u32(offset + 20);
        entry.size_bytes = bytes.u32(offset + 24);
        entry.header_offset = bytes.u32(offset + 42);
        if ((bytes.u16(offset + 8) & 1u) != 0) throw InputError("{}: entry '{}' is encrypted", source, entry.name);
        const std::uint64_t extra = offset + kDirectoryBytes + name_bytes;
        static_cast<void>(bytes.part(extra, extra_bytes));
        read_zip64_extra(bytes, extra, extra_bytes, entry);
        offset = extra + extra_bytes + comment_bytes;
        entries.push_back(std::move(entry));
    }
    return entries;
}

void append_number(std::string& text, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
        text += static_cast<char>(value >> (8 * i) & 0xff);
}

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& file) : file_(std::make_shared<const MappedFile>(file)) {
    const std::string source = file.string();
    entries_ = read_directory(Bytes(file_->bytes(), source), source);
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const ZipEntry& entry) { return entry.name == name; });
    return found == entries_.end() ? nullptr : &*found;
}

ZipContent ZipArchive::content(const ZipEntry& entry) const {
    const std::string source = fmt::format("{}: entry '{}'", file_->path().string(), entry.name);
    const Bytes bytes(file_->bytes(), source);
    if (bytes.u32(entry.header_offset) != kLocalSignature) bytes.damaged();
    // Name and extra field may be longer here than in the directory; sizes may be missing here.
    const std::uint64_t start =
        entry.header_offset + kLocalBytes + bytes.u16(entry.header_offset + 26) + bytes.u16(entry.header_offset + 28);
    const std::span<const std::byte> packed = bytes.part(start, entry.compressed_bytes);
    ZipContent content;
    if (entry.method == kStored) {
        if (entry.size_bytes != entry.compressed_bytes) bytes.damaged();
        content.bytes = packed;
    } else if (entry.method == kDeflated) {
        content.memory =
            std::make_shared<const std::vector<std::byte>>(decode_deflate(packed, entry.size_bytes, source));
        content.bytes = *content.memory;
    } else {
        throw InputError("{}: is compressed by method {}, expected stored or deflate", source, entry.method);
    }
    if (crc32_of(content.bytes) != entry.crc)
        throw InputError("{}: the checksum does not match, the file is damaged", source);
    return content;
}

void ZipWriter::add(const std::string& name, std::string_view content) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    if (archive_.size() + directory_.size() + content.size() + name.size() + 256 > kMost || count_ == kMoved16 - 1) {
        throw InternalError("zip archive: more than 4 GiB or 65,534 entries");
    }
    // Version 2.0, no flags, stored, 1980-01-01 00:00 (the earliest date there is, so that the bytes do not change).
    std::string common;
    for (const std::uint16_t value :
         {std::uint16_t{20}, std::uint16_t{0}, kStored, std::uint16_t{0}, std::uint16_t{0x21}}) {
        append_number(common, value, 2);
    }
    append_number(common, crc32_of(std::as_bytes(std::span(content))), 4);
    append_number(common, content.size(), 4);
    append_number(common, content.size(), 4);
    append_number(common, name.size(), 2);
    append_number(common, 0, 2);  // extra field

    append_number(directory_, kDirectorySignature, 4);
    append_number(directory_, 20, 2);  // made by version 2.0
    directory_ += common;
    directory_.append(2 + 2 + 2 + 4, '\0');  // comment, disk, internal and external attributes
    append_number(directory_, archive_.size(), 4);
    directory_ += name;

    append_number(archive_, kLocalSignature, 4);
    archive_ += common;
    archive_ += name;
    archive_ += content;
    ++count_;
}

std::string ZipWriter::finish() {
    const std::size_t directory_offset = archive_.size();
    archive_ += directory_;
    append_number(archive_, kEndSignature, 4);
    append_number(archive_, 0, 2 + 2);  // disks
    append_number(archive_, count_, 2);
    append_number(archive_, count_, 2);
    append_number(archive_, directory_.size(), 4);
    append_number(archive_, directory_offset, 4);
    append_number(archive_, 0, 2);  // comment
    return std::move(archive_);
}

}  // namespace lossmap
