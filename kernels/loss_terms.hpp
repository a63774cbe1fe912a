#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

enum class LossFunction : std::uint8_t { cross_entropy, bce_with_logits, mse, mae, huber, output };

/// What one sample adds to the sums at one point; the fields of LossSums.
struct SampleLoss {
    double loss_sum = 0.0;
    double loss_square_sum = 0.0;
    double weight_sum = 0.0;
    std::int32_t correct = 0;
    std::int32_t counted = 0;
    std::int32_t non_finite = 0;
    std::uint32_t overflow = 0;  ///< 1: an activation overflowed, the sample is to be evaluated again
};

/// Losses of `samples` samples at each point, in fp64 from the network's raw output, as the CPU backend's host_loss
/// does it (its documentation holds here, too).
///
/// cross_entropy: logits [samples, outer, classes, inner], targets i64 [samples, outer, inner]. mse with one_hot:
/// logits [samples, classes], targets i64 [samples]. The others: [samples, outer * classes * inner] against f32 or i64
/// of that shape; `output`: [samples], no targets.
struct LossTermsArgs {
    LossFunction function = LossFunction::cross_entropy;
    Input logits;
    Input targets;
    std::int64_t points = 0;
    std::int64_t samples = 0;
    std::int64_t outer = 1;
    std::int64_t classes = 1;
    std::int64_t inner = 1;
    bool has_ignore_index = false;
    std::int64_t ignore_index = 0;
    double label_smoothing = 0.0;
    const double* class_weights = nullptr;  ///< [classes]; null: all 1
    bool one_hot_targets = false;
    bool softmax_activation = false;
    double delta = 1.0;
    const std::uint32_t* overflow = nullptr;  ///< OverflowFlags::data of this pass, [points, samples + 1]; null: none
    SampleLoss* terms = nullptr;              ///< [points, samples], `terms_point_stride` apart
    std::int64_t terms_point_stride = 0;
    std::uint32_t* faults = nullptr;
};

}  // namespace lossmap::kernels
