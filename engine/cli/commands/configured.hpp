#pragma once

#include <filesystem>

#include "cli/commands/commands.hpp"
#include "cli/config/load_config.hpp"

namespace lossmap {

/// Loads a configuration with what the command line puts over it (--set, --device, --precision).
[[nodiscard]] Config load_configured(const std::filesystem::path& file, const RunArguments& arguments);

}  // namespace lossmap
