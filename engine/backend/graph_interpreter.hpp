#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "backend/bound_request.hpp"

namespace lossmap {

/// Computes a network node by node through the operator table's own kernels, nothing fused. Slow; what backends are
/// held against when they disagree.
class GraphInterpreter {
public:
    /// For the first `samples` of chunks. Throws what bind_request throws.
    /// @param request  what it points to must outlive the interpreter
    GraphInterpreter(const ExecutableRequest& request, std::int64_t samples);

    [[nodiscard]] const Graph& graph() const { return bound_.graph; }
    /// Puts parameters at a point and samples in place, and forgets all that was computed. The chunk has `samples`.
    void load(const Point& point, const SampleChunk& chunk);
    /// Computes a node of the graph, its inputs being there. Throws what its kernel throws, with the node's name.
    void compute(const Node& node) { compute(node, {}, values_); }
    /// The same with other inputs in the places of those that `inputs` has; the results go to `outputs` alone.
    void compute(const Node& node, const std::map<ValueId, Tensor>& inputs, std::map<ValueId, Tensor>& outputs) const;
    /// A value that is there: parameter, input, constant, or computed.
    [[nodiscard]] ConstTensorView value(ValueId id) const;
    void replace(ValueId id, Tensor value) { values_[id] = std::move(value); }

private:
    void load_input(ValueId id, const SampleInput& source);

    const ExecutableRequest& request_;
    BoundRequest bound_;
    std::map<ValueId, Tensor> values_;
};

}  // namespace lossmap
