#include "io/atomic_file.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "core/error.hpp"

namespace lossmap {

namespace fs = std::filesystem;

namespace {

class Descriptor {
public:
    Descriptor(const fs::path& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

void flush_to_disk(const fs::path& path, int flags) {
    const Descriptor descriptor(path, flags);
    if (descriptor.number() < 0 || ::fsync(descriptor.number()) != 0) {
        throw Error("{}: cannot be flushed to the disk: {}", path.string(), std::strerror(errno));
    }
}

}  // namespace

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
    // Process and attempt in the name: two processes, or a file left behind by a killed one, do not meet.
    constexpr int kAttempts = 1000;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        temporary_ =
            folder_of(target_) / fmt::format(".{}.{}.{}.tmp", target_.filename().string(), ::getpid(), attempt);
        const Descriptor descriptor(temporary_, O_WRONLY | O_CREAT | O_EXCL);
        if (descriptor.number() >= 0) return;
        if (errno != EEXIST) break;
    }
    throw Error("{}: cannot be written: {}", target_.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
    if (temporary_.empty()) return;
    std::error_code ignored;
    fs::remove(temporary_, ignored);
}

void AtomicFile::commit() {
    flush_to_disk(temporary_, O_RDONLY);
    std::error_code error;
    fs::rename(temporary_, target_, error);
    if (error) throw Error("{}: cannot be written: {}", target_.string(), error.message());
    temporary_.clear();
    flush_to_disk(folder_of(target_), O_RDONLY | O_DIRECTORY);
}

bool AtomicFile::commit_unless_there() {
    flush_to_disk(temporary_, O_RDONLY);
    if (::link(temporary_.c_str(), target_.c_str()) != 0) {
        if (errno == EEXIST) return false;
        throw Error("{}: cannot be written: {}", target_.string(), std::strerror(errno));
    }
    flush_to_disk(folder_of(target_), O_RDONLY | O_DIRECTORY);
    return true;
}

void write_file_atomically(const fs::path& file, std::string_view content) {
    AtomicFile atomic(file);
    {
        const Descriptor descriptor(atomic.temporary(), O_WRONLY | O_TRUNC);
        while (!content.empty()) {
            const ssize_t written = ::write(descriptor.number(), content.data(), content.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) throw Error("{}: cannot be written: {}", file.string(), std::strerror(errno));
            content.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    atomic.commit();
}

}  // namespace lossmap
