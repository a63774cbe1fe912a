#pragma once

#include <vector>

#include "cli/config/config.hpp"
#include "landscape/trajectory.hpp"

namespace lossmap {

/// The weights of checkpoints, read from their files when asked for (CheckpointWeights). Borrows all three. Reading
/// throws InputError naming the file that does not fit `space`.
[[nodiscard]] Trajectory open_trajectory(const std::vector<ModelConfig>& checkpoints, const ParameterRules& rules,
                                         const ParameterSpace& space);

/// Index of the origin among the checkpoints of all paths (Config::path_checkpoints): the last one of the first path.
[[nodiscard]] std::int64_t origin_of_paths(const Config& config);

}  // namespace lossmap
