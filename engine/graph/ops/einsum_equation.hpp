#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap::ops {

/// A parsed equation over concrete shapes. A dimension is a letter; those of an ellipsis are '0', '1', .. counted from
/// the right, so that they broadcast.
struct Einsum {
    std::vector<std::string> operands;  ///< letters of each operand, one a dimension
    std::string output;
    std::string summed;  ///< letters that the output lacks
    std::map<char, std::int64_t> extents;
};

/// Throws InputError where the equation does not fit the operands.
[[nodiscard]] Einsum parse_einsum(const Node& node, const std::vector<Shape>& shapes);

}  // namespace lossmap::ops
