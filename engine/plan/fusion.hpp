#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.hpp"
#include "plan/passes.hpp"
#include "plan/value_classes.hpp"

namespace lossmap {

/// One unit of work of the part that depends on samples: a node and what is computed together with it, in this order.
struct Step {
    std::int32_t node = -1;      ///< index into Graph::nodes
    std::int32_t bias_add = -1;  ///< indices of joined nodes, -1 for none
    std::int32_t batch_norm = -1;
    std::int32_t residual_add = -1;
    std::int32_t activation = -1;
    ValueId added_bias = kNoValue;  ///< the operand of `bias_add` that is a row of theta
    ValueId residual = kNoValue;    ///< the operand of `residual_add` that this step does not compute

    [[nodiscard]] std::int32_t last_node() const;
};

/// A specialised graph, sorted by what its parts depend on.
struct Lowering {
    std::vector<ValueClass> classes;        ///< of every value
    std::vector<std::int32_t> theta_nodes;  ///< computed once a point, in order
    std::vector<Step> steps;                ///< computed once a tile and point, in order
};

/// Splits the graph and joins nodes. A node is joined only where nothing else reads the value in between, and the batch
/// norm's own parameters do not depend on samples. A step stands where its last node stands, so all it reads is ready.
/// @param graph   specialised: all shapes are known.
/// @param passes  which kinds of node are joined: bias_add, batch_norm, residual, activation.
[[nodiscard]] Lowering lower(const Graph& graph, const PassSet& passes = {});

}  // namespace lossmap
