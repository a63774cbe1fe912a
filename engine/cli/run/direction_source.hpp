#pragma once

#include <string>
#include <vector>

#include "cli/config/config.hpp"
#include "cli/run/model_source.hpp"
#include "landscape/direction.hpp"

namespace lossmap {

struct BuiltDirections {
    std::vector<Direction> axes;
    std::vector<std::string> notes;  ///< for the log: parameters that do not move
};

/// The directions of the grid's axes, made as the configuration says. The same configuration and files give the same
/// bits. Throws InputError naming the configuration's key and the file.
[[nodiscard]] BuiltDirections build_directions(const Config& config, const LoadedModel& model);

}  // namespace lossmap
