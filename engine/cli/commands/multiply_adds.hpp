#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "graph/graph.hpp"

namespace lossmap {

/// Multiply-adds of a specialised graph by operator (convolutions, dense layers, matrix products, recurrent layers,
/// attention), for the batch that it was specialised for. Elementwise work is not counted, as is usual.
[[nodiscard]] std::map<std::string, std::int64_t> count_multiply_adds(const Graph& graph);

}  // namespace lossmap
