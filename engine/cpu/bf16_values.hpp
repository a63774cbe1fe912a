#pragma once

#include <vector>

#include "plan/fusion.hpp"

namespace lossmap::cpu {

/// Whether a step is a convolution or dense layer with weights of theta: what runs in bf16 where that is asked for.
[[nodiscard]] bool is_weight_layer(const Graph& graph, const Lowering& lowering, const Step& step);

/// By value: whether a layer reads it in bf16, directly or behind activations, pools and changes of shape, and it is no
/// output of the graph. What computes such a value writes it in bf16; all others stay f32, the network's output too.
[[nodiscard]] std::vector<bool> bf16_values(const Graph& graph, const Lowering& lowering);

}  // namespace lossmap::cpu
