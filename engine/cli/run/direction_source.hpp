#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "cli/config/config.hpp"
#include "cli/run/model_source.hpp"
#include "landscape/direction.hpp"
#include "landscape/trajectory.hpp"

namespace lossmap {

struct BuiltDirections {
    std::vector<Direction> axes;
    std::vector<std::string> labels;   ///< of the axes, for pictures: "1st PC: 49.32 %"
    std::vector<std::string> notes;    ///< for the log: parameters that do not move
    std::optional<TrajectoryPca> pca;  ///< of the first axis that is a principal component; without its components
    std::vector<int> pca_components;   ///< those of `pca` that are axes
};

/// The directions of the grid's axes, made as the configuration says. The same configuration and files give the same
/// bits, whatever `threads` is (0: all). Throws InputError naming the configuration's key and the file.
[[nodiscard]] BuiltDirections build_directions(const Config& config, const LoadedModel& model, const Backend& backend,
                                               int threads);

}  // namespace lossmap
