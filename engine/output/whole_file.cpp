#include "output/whole_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/error.hpp"

namespace lossmap {

namespace fs = std::filesystem;

std::string read_whole_file(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw Error("cannot read {}: {}", file.string(), std::strerror(errno));
    std::ostringstream content;
    content << stream.rdbuf();
    if (stream.bad()) throw Error("cannot read {}: {}", file.string(), std::strerror(errno));
    return std::move(content).str();
}

}  // namespace lossmap
