#include "landscape/weight_norms.hpp"

#include <cmath>

#include "core/error.hpp"
#include "landscape/trajectory.hpp"

namespace lossmap {

WeightNorms weight_norms(std::span<const float> weights, const ParameterSpace& space) {
    if (static_cast<std::int64_t>(weights.size()) != space.weights_size())
        throw InternalError("{} weights for a space of {}", weights.size(), space.weights_size());
    double filters = 0.0;
    for (const Parameter& parameter : space.weights) {
        if (parameter.one_dimensional) continue;
        const double norm = weight_norm(
            weights.subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(parameter.size)));
        filters += norm * norm;
    }
    return {weight_norm(weights), std::sqrt(filters)};
}

}  // namespace lossmap
