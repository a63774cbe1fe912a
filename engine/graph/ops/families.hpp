#pragma once

#include <vector>

#include "graph/operator_table.hpp"

/// The families that operator_table() joins, one source file each.
namespace lossmap::ops {

using Family = std::vector<OperatorInfo>;

[[nodiscard]] Family unary_operators();
[[nodiscard]] Family activation_operators();
[[nodiscard]] Family softmax_operators();
[[nodiscard]] Family binary_operators();
[[nodiscard]] Family convolution_operators();
[[nodiscard]] Family pooling_operators();
[[nodiscard]] Family normalization_operators();
[[nodiscard]] Family matrix_operators();
[[nodiscard]] Family reduction_operators();
[[nodiscard]] Family shape_operators();
[[nodiscard]] Family constant_operators();
[[nodiscard]] Family layout_operators();
[[nodiscard]] Family indexing_operators();
[[nodiscard]] Family attention_operators();
[[nodiscard]] Family block_operators();
[[nodiscard]] Family einsum_operators();
[[nodiscard]] Family ordering_operators();
[[nodiscard]] Family quantization_operators();
[[nodiscard]] Family recurrent_operators();
[[nodiscard]] Family resize_operators();
[[nodiscard]] Family rewritten_operators();

}  // namespace lossmap::ops
