#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <onnx/onnx_pb.h>

#include "graph/graph.hpp"
#include "onnx_import/function_inliner.hpp"
#include "onnx_import/tensor_reader.hpp"

namespace lossmap::onnx_import {

/// Turns one GraphProto into a Graph. Subgraphs (If, Loop, Scan) become graphs of their own; a value that a subgraph
/// takes from around it is a Value of kind `input` there that is not in `Graph::inputs`, under the outer name.
class GraphBuilder {
public:
    /// `outer` is the builder of the graph around, nullptr for the main graph.
    GraphBuilder(TensorReader& tensors, FunctionInliner& functions, std::shared_ptr<const Opsets> opsets,
                 const GraphBuilder* outer = nullptr);

    /// Frees the tensors of `proto` as it goes. Throws InputError / UnsupportedError naming the node or tensor.
    [[nodiscard]] Graph build(onnx::GraphProto& proto);

private:
    /// Adds a value under a new name. Throws InputError when the name is taken.
    ValueId define(Value value);
    void add_initializers(onnx::GraphProto& proto);
    void add_inputs(const onnx::GraphProto& proto);
    void add_constant(const ScopedNode& scoped);
    void add_node_outputs(const ScopedNode& scoped, std::size_t index);
    void read_node(const ScopedNode& scoped, Node& node);
    void add_outputs(const onnx::GraphProto& proto);
    /// Id of a value that is read; captures it from an outer graph when need be. kNoValue when nobody provides it.
    ValueId use(const std::string& name);
    [[nodiscard]] bool provides(const std::string& name) const;

    TensorReader& tensors_;
    FunctionInliner& functions_;
    std::shared_ptr<const Opsets> opsets_;
    const GraphBuilder* outer_;
    Graph graph_;
    std::unordered_map<std::string, ValueId> ids_;
    std::unordered_map<std::string, const onnx::ValueInfoProto*> declarations_;
};

}  // namespace lossmap::onnx_import
