#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/config/config.hpp"

namespace lossmap {

/// Reads a configuration (JSON, interface.md) and checks everything in it that needs no other file. `overrides` are
/// "/json/pointer=VALUE", put in before anything is checked; VALUE is JSON, or else a string. Paths are relative to the
/// folder of `file`; globs are expanded in natural order.
/// Throws InputError, "<file>: /json/pointer: expected .., got ..": one sentence.
[[nodiscard]] Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

}  // namespace lossmap
