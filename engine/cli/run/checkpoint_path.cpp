#include "cli/run/checkpoint_path.hpp"

#include <algorithm>

#include "cli/run/model_source.hpp"

namespace lossmap {

Trajectory open_trajectory(const std::vector<ModelConfig>& checkpoints, const ParameterRules& rules,
                           const ParameterSpace& space) {
    Trajectory trajectory;
    trajectory.checkpoints = static_cast<std::int64_t>(checkpoints.size());
    trajectory.space = &space;
    trajectory.read = [&checkpoints, &rules, &space](std::int64_t index, std::span<float> weights) {
        const StateVector state = load_state(checkpoints.at(static_cast<std::size_t>(index)), rules, space);
        std::copy(state.weights.begin(), state.weights.end(), weights.begin());
    };
    return trajectory;
}

std::int64_t origin_of_paths(const Config& config) {
    return static_cast<std::int64_t>(config.paths.front().checkpoints.size()) - 1;
}

}  // namespace lossmap
