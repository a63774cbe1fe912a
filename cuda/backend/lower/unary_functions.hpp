#pragma once

#include <optional>
#include <string>

#include "graph/graph.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::cuda {

/// The function of one element that a node computes with its attributes; nullopt for other operators. Clip: bounds that
/// are attributes or constants.
[[nodiscard]] std::optional<kernels::UnaryFunction> unary_function(const Graph& graph, const Node& node);

/// An activation of a recurrent layer by its ONNX name with its parameters; nullopt for an unknown one.
[[nodiscard]] std::optional<kernels::UnaryFunction> recurrent_activation(const std::string& name, double alpha,
                                                                         double beta);

}  // namespace lossmap::cuda
