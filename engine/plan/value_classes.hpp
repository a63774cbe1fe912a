#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.hpp"

namespace lossmap {

/// What a value depends on, and so how often it has to be computed.
enum class ValueClass : std::uint8_t {
    constant,  ///< neither: once for all
    theta,     ///< the parameters: once a point (weights, and what the graph computes from them)
    samples,   ///< the data: once a tile, the same for all points
    both,      ///< once a tile and point
};
[[nodiscard]] const char* name_of(ValueClass value_class);

/// The class of every value of a graph whose nodes are in topological order. Values that nothing computes or provides
/// (left over from specialisation) count as constant.
[[nodiscard]] std::vector<ValueClass> classify(const Graph& graph);

/// Whether a value of this class changes from tile to tile.
[[nodiscard]] constexpr bool depends_on_samples(ValueClass value_class) {
    return value_class == ValueClass::samples || value_class == ValueClass::both;
}

}  // namespace lossmap
