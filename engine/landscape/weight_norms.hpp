#pragma once

#include <span>

#include "params/parameter_space.hpp"

namespace lossmap {

/// How large the weights of a network are (Li et al. 2018, figure 8); running statistics are no part of it. Products
/// and sums in fp64. A weight that is not finite makes the norms that hold it NaN or infinite.
struct WeightNorms {
    double all = 0.0;      ///< L2 norm of all weights
    double filters = 0.0;  ///< the same without tensors of at most one dimension (biases, batch norm), whose ignore
                           ///< set is `1d`: what filter normalisation scales by
};

/// `weights`: the space's weights segment.
[[nodiscard]] WeightNorms weight_norms(std::span<const float> weights, const ParameterSpace& space);

}  // namespace lossmap
