#pragma once

#include <functional>
#include <string>

#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "params/parameter_space.hpp"

namespace lossmap::test {

/// Appends a parameter whose elements `next` gives in order: to the graph as an initializer, to the space, and to the
/// origin. Returns where it stands: in the space's states for running statistics, among its weights otherwise.
/// @param name  in front of a number that makes it unique
const Parameter& add_parameter(Graph& graph, ParameterSpace& space, StateVector& origin, const std::string& name,
                               const Shape& shape, Role role, const std::function<double()>& next);

/// Appends a constant, named by a number.
ValueId add_constant(Graph& graph, Tensor tensor);

}  // namespace lossmap::test
