#pragma once

#include <functional>
#include <memory>
#include <string>

#include <onnx/onnx_pb.h>

#include "graph/graph.hpp"
#include "onnx_import/tensor_reader.hpp"

namespace lossmap::onnx_import {

/// Builds the graph of a GRAPH attribute.
using SubgraphReader = std::function<std::shared_ptr<const Graph>(const onnx::GraphProto&)>;

/// Attributes of a node. Element types named by an attribute (Cast `to`, `dtype`) follow the tensors: fp16, bf16 and
/// fp64 become fp32. Throws InputError / UnsupportedError naming the attribute.
[[nodiscard]] Attributes read_attributes(const onnx::NodeProto& node, TensorReader& tensors,
                                         const SubgraphReader& read_subgraph);

/// The tensor of a Constant node: value, value_float(s), value_int(s). Throws InputError / UnsupportedError.
[[nodiscard]] Tensor read_constant(const onnx::NodeProto& node, TensorReader& tensors);

/// Element type and extents that a value_info declares, put into `value`. Types lossmap does not hold leave it
/// undeclared.
void read_declaration(const onnx::ValueInfoProto& info, Value& value);

}  // namespace lossmap::onnx_import
