#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace lossmap {

/// A file mapped into memory, read only; move-only. Pages are read when touched, so a file may be larger than memory.
/// A file that another process shortens while it is mapped ends the program with SIGBUS: files must not be changed in
/// use.
class MappedFile {
public:
    /// Throws InputError when the file is missing, a folder or cannot be read. An empty file is fine.
    explicit MappedFile(std::filesystem::path path);
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
    [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

    /// Tells the system that this part will not be read again soon: whole pages inside it leave this process. Reading
    /// them later is still right, only slower. Parts outside the file are ignored. Safe to call while others read.
    void release(std::span<const std::byte> part) const noexcept;

private:
    std::filesystem::path path_;
    const std::byte* data_ = nullptr;
    std::size_t size_bytes_ = 0;
};

}  // namespace lossmap
