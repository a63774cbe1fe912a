#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lossmap {

/// Whether `*`, `?` or `[` makes a path a glob.
[[nodiscard]] bool is_glob(const std::string& path);

/// Existing files that match, in natural order: "epoch_2" before "epoch_10". Empty when there is none.
[[nodiscard]] std::vector<std::filesystem::path> expand_glob(const std::filesystem::path& pattern);

/// Digits compare as numbers, everything else byte by byte.
[[nodiscard]] bool natural_less(const std::string& a, const std::string& b);

}  // namespace lossmap
