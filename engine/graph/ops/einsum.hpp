#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap::ops {

/// Multiply-adds of an Einsum node as its definition has it: every combination of all its indices, once for each
/// operand beyond the first (a sum over one operand has none). Throws InputError when shapes and equation do not fit.
[[nodiscard]] std::int64_t einsum_multiply_adds(const Node& node, const std::vector<Shape>& operands);

}  // namespace lossmap::ops
