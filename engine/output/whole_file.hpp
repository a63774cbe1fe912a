#pragma once

#include <filesystem>
#include <string>

namespace lossmap {

/// Writes `content` to a temporary file beside `file` and renames it: a reader sees the old file or the new one, never
/// a part. Throws Error naming the file.
void write_whole_file(const std::filesystem::path& file, const std::string& content);

/// Throws Error naming the file.
[[nodiscard]] std::string read_whole_file(const std::filesystem::path& file);

}  // namespace lossmap
