#include "io/mapped_file.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"

namespace lossmap {

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        throw InputError("{}: {}", path_.string(), errno == ENOENT ? "no such file" : std::strerror(errno));
    }
    struct ::stat status {};
    const bool known = ::fstat(file, &status) == 0;
    const bool regular = known && S_ISREG(status.st_mode);
    const bool folder = known && S_ISDIR(status.st_mode);
    void* address = nullptr;
    if (regular && status.st_size > 0) {
        size_bytes_ = static_cast<std::size_t>(status.st_size);
        address = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_SHARED, file, 0);
    }
    const int mapping_error = errno;
    ::close(file);  // the mapping keeps the file open
    if (!regular)
        throw InputError("{}: is {}, expected a file", path_.string(), folder ? "a folder" : "a device or pipe");
    if (address == MAP_FAILED)
        throw InputError("{}: cannot be mapped: {}", path_.string(), std::strerror(mapping_error));
    data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

void MappedFile::release(std::span<const std::byte> part) const noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(part.data());
    const auto end = begin + part.size();
    const auto map_begin = reinterpret_cast<std::uintptr_t>(data_);
    if (data_ == nullptr || begin < map_begin || end > map_begin + size_bytes_) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t first = (begin + page - 1) / page * page;
    const std::uintptr_t last = end / page * page;
    if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace lossmap
