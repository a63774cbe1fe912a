#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/config/config.hpp"

namespace lossmap {

/// The configuration as JSON with every default filled in and absolute paths; `load_config` reads it back to the same.
[[nodiscard]] nlohmann::ordered_json resolved_json(const Config& config);
/// Its "loss" and "directions" (null for experiments without) alone.
[[nodiscard]] nlohmann::ordered_json resolved_loss(const LossSpec& loss);
[[nodiscard]] nlohmann::ordered_json resolved_directions(const DirectionsConfig& directions);

}  // namespace lossmap
