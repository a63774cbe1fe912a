#pragma once

#include <filesystem>

#include "cli/commands/commands.hpp"
#include "cli/config/load_config.hpp"
#include "cli/config/sweep.hpp"

namespace lossmap {

/// Loads a configuration with what the command line puts over it (--set, --device, --precision, --plan-cache, --shard).
[[nodiscard]] Config load_configured(const std::filesystem::path& file, const RunArguments& arguments);
/// The same for a configuration of several runs; nothing when it describes one.
[[nodiscard]] std::optional<Sweep> load_configured_sweep(const std::filesystem::path& file,
                                                         const RunArguments& arguments);

}  // namespace lossmap
