#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.hpp"

namespace lossmap {

/// One file inside a zip archive, as its directory says.
struct ZipEntry {
    std::string name;
    std::uint16_t method = 0;  ///< 0 stored, 8 deflate
    std::uint32_t crc = 0;
    std::uint64_t compressed_bytes = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t header_offset = 0;
};

/// The bytes of an entry: inside the mapped archive when stored, decoded when compressed (then `memory` owns them).
struct ZipContent {
    std::span<const std::byte> bytes;
    std::shared_ptr<const std::vector<std::byte>> memory;
};

/// Directory and entries of a zip archive (PKWARE APPNOTE 6.3, zip64 included; no encryption, no parts). Nothing is
/// ever written to the file system. All offsets and sizes are checked against the file before they are used. Throws
/// InputError.
class ZipArchive {
public:
    explicit ZipArchive(const std::filesystem::path& file);

    [[nodiscard]] const std::shared_ptr<const MappedFile>& file() const { return file_; }
    [[nodiscard]] const std::vector<ZipEntry>& entries() const { return entries_; }
    /// nullptr when there is none of that name.
    [[nodiscard]] const ZipEntry* find(std::string_view name) const;
    /// The entry's bytes, its checksum verified.
    [[nodiscard]] ZipContent content(const ZipEntry& entry) const;

private:
    std::shared_ptr<const MappedFile> file_;
    std::vector<ZipEntry> entries_;
};

/// Builds an archive of stored entries in the order of `add`; always the same bytes for the same entries.
class ZipWriter {
public:
    /// Name and bytes; throws InternalError beyond 4 GiB in all (zip64 is not written).
    void add(const std::string& name, std::string_view content);
    /// The whole archive; call once, last.
    [[nodiscard]] std::string finish();

private:
    std::string archive_;
    std::string directory_;
    std::uint16_t count_ = 0;
};

}  // namespace lossmap
