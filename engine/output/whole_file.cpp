#include "output/whole_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/error.hpp"

namespace lossmap {

namespace fs = std::filesystem;

namespace {

/// Removes a half-written file unless it was handed over.
struct TemporaryFile {
    fs::path path;
    bool kept = false;
    explicit TemporaryFile(fs::path file) : path(std::move(file)) {}
    ~TemporaryFile() {
        std::error_code ignored;
        if (!kept) fs::remove(path, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
};

}  // namespace

void write_whole_file(const fs::path& file, const std::string& content) {
    TemporaryFile temporary(file.parent_path() / fmt::format(".{}.{}.tmp", file.filename().string(), getpid()));
    {
        std::ofstream stream(temporary.path, std::ios::binary | std::ios::trunc);
        if (!stream) throw Error("cannot write {}: {}", file.string(), std::strerror(errno));
        stream.write(content.data(), static_cast<std::streamsize>(content.size()));
        if (!stream.flush()) throw Error("cannot write {}: {}", file.string(), std::strerror(errno));
    }
    std::error_code error;
    fs::rename(temporary.path, file, error);
    if (error) throw Error("cannot write {}: {}", file.string(), error.message());
    temporary.kept = true;
}

std::string read_whole_file(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw Error("cannot read {}: {}", file.string(), std::strerror(errno));
    std::ostringstream content;
    content << stream.rdbuf();
    if (stream.bad()) throw Error("cannot read {}: {}", file.string(), std::strerror(errno));
    return std::move(content).str();
}

}  // namespace lossmap
