#pragma once

#include <map>
#include <string>

#include "graph/graph.hpp"

namespace lossmap {

/// Makes a graph concrete: fixes the shapes of the fed inputs, infers every other shape, folds all nodes whose result
/// depends neither on a fed input nor on a parameter's value (a parameter's shape is no obstacle: Shape, Size and
/// ConstantOfShape of a known shape fold), replaces Identity and inference-mode Dropout by their input, and drops dead
/// nodes. Value ids are kept, so that ids recorded for `graph` stay valid in the result.
///
/// @param input_shapes  shape of each fed input by name, batch included; every input must be named.
/// @throws InputError / UnsupportedError naming the node.
[[nodiscard]] Graph specialize(const Graph& graph, const std::map<std::string, Shape>& input_shapes);

/// The value a name stands for after forwarding (Identity, Dropout): specialize() rewires consumers, graph outputs too.
/// Fixed batch of the model: the declared extent of dimension 0 of its first input, or -1 when it is symbolic.
[[nodiscard]] std::int64_t declared_batch(const Graph& graph);

}  // namespace lossmap
