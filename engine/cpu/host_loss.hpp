#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.hpp"
#include "core/tensor.hpp"
#include "plan/loss_spec.hpp"

namespace lossmap {

/// Loss sums of `count` samples from the network's raw output, in fp64, in sample order.
/// @param output   f32 [>= count, output_sample_shape..], row-major; further rows are padding and are not read.
/// @param target   f32 or i64 [>= first + count, ..]; rows [first, first + count) belong to the output's rows.
/// @param first_sample  number of the chunk's first sample, for messages.
///
/// cross_entropy, as torch.nn.functional.cross_entropy sums it: with weights w and smoothing s over C classes a target
/// (token, pixel) adds (1-s) w[y] (-log p[y]) + s/C sum_c w[c] (-log p[c]) to loss_sum and w[y] to weight_sum. The
/// class predicted is the first maximum; a NaN counts as the maximum, as torch.argmax has it, but is never a correct
/// answer. Throws InputError for a label that is no class.
[[nodiscard]] LossSums host_loss(const LossSpec& loss, const ConstTensorView& output, const ConstTensorView& target,
                                 std::int64_t first, std::int64_t count, std::int64_t first_sample);

}  // namespace lossmap
