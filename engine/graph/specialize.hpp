#pragma once

#include <map>
#include <string>

#include "graph/graph.hpp"

namespace lossmap {

/// What specialize() may leave undone, to find out whether it is to blame for a result.
struct SpecializeOptions {
    /// Off: nodes of constants alone that give floating-point numbers stay, and are computed wherever the graph runs.
    /// Integers and booleans are folded all the same, as shapes are made of them.
    bool fold_constants = true;
    bool drop_dead_nodes = true;
};

/// Makes a graph concrete: fixes the shapes of the fed inputs, infers every other shape, folds all nodes whose result
/// depends neither on a fed input nor on a parameter's value (a parameter's shape is no obstacle: Shape, Size and
/// ConstantOfShape of a known shape fold), replaces Identity and inference-mode Dropout by their input, and drops dead
/// nodes. Value ids are kept, so that ids recorded for `graph` stay valid in the result.
///
/// @param input_shapes  shape of each fed input by name, batch included; every input must be named.
/// @throws InputError / UnsupportedError naming the node.
[[nodiscard]] Graph specialize(const Graph& graph, const std::map<std::string, Shape>& input_shapes,
                               const SpecializeOptions& options = {});

/// Fixed batch of the model: the declared extent of dimension 0 of its first input, or -1 when it is symbolic.
[[nodiscard]] std::int64_t declared_batch(const Graph& graph);

}  // namespace lossmap
