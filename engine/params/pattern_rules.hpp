#pragma once

#include "params/theta_trace.hpp"

namespace lossmap {

/// Whether a value is the result of a matrix product or convolution with a weight, reshaped perhaps: what is added to
/// it is a bias.
[[nodiscard]] bool is_linear_result(const ThetaTrace& trace, ValueId id);

/// Whether a value is normalised but not yet scaled: the result of a normalisation with uniform scale (group norm below
/// opset 21), or x / sqrt(mean ..) and x * 1/sqrt(mean ..) written out (layer and RMS norm of older operator sets).
[[nodiscard]] bool is_normalized(const ThetaTrace& trace, ValueId id);

/// Whether a value is a normalised one times a scale.
[[nodiscard]] bool is_scaled_norm(const ThetaTrace& trace, ValueId id);

/// Whether a value is a fed input, changed by elementwise arithmetic with constants at most: pictures being normalised.
[[nodiscard]] bool is_raw_input(const ThetaTrace& trace, ValueId id);

}  // namespace lossmap
