#pragma once

#include <filesystem>
#include <string>

namespace lossmap {

/// Throws Error naming the file.
[[nodiscard]] std::string read_whole_file(const std::filesystem::path& file);

}  // namespace lossmap
