#pragma once

#include <filesystem>
#include <string_view>

namespace lossmap {

/// A file that appears whole or not at all: written under a temporary name in the same folder, flushed to the disk and
/// renamed by `commit`. Without commit the temporary file is removed and an earlier file of that name stays as it was.
class AtomicFile {
public:
    /// Makes an empty temporary file beside `target`. Throws Error when the folder cannot be written.
    explicit AtomicFile(std::filesystem::path target);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /// Where to write (directly, or by a library that wants a path); close it before commit.
    [[nodiscard]] const std::filesystem::path& temporary() const { return temporary_; }

    /// fsync of the file, rename, fsync of the folder. Throws Error.
    void commit();
    /// The same, but leaves a file of that name that came into being meanwhile: false then. Of several processes one
    /// wins.
    [[nodiscard]] bool commit_unless_there();

private:
    std::filesystem::path target_;
    std::filesystem::path temporary_;
};

/// Replaces `file` by `content` in one step. Throws Error.
void write_file_atomically(const std::filesystem::path& file, std::string_view content);

}  // namespace lossmap
