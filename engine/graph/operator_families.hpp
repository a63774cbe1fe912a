#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/operator_table.hpp"

namespace lossmap {

/// A part of the operator table: what one source file of graph/ops defines.
struct OperatorFamily {
    std::string_view name;
    std::vector<OperatorInfo> (*operators)();
};

/// The families that operator_table() joins.
[[nodiscard]] std::span<const OperatorFamily> operator_families();

}  // namespace lossmap
