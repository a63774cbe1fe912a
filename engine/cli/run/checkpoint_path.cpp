#include "cli/run/checkpoint_path.hpp"

#include <memory>

#include "cli/run/checkpoint_weights.hpp"

namespace lossmap {

Trajectory open_trajectory(const std::vector<ModelConfig>& checkpoints, const ParameterRules& rules,
                           const ParameterSpace& space) {
    Trajectory trajectory;
    trajectory.checkpoints = static_cast<std::int64_t>(checkpoints.size());
    trajectory.space = &space;
    trajectory.read = [files = std::make_shared<CheckpointWeights>(checkpoints, rules, space)](
                          std::int64_t index, std::int64_t first, std::span<float> weights) {
        files->read(index, first, weights);
    };
    return trajectory;
}

std::int64_t origin_of_paths(const Config& config) {
    return static_cast<std::int64_t>(config.paths.front().checkpoints.size()) - 1;
}

}  // namespace lossmap
