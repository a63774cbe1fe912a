#include "tests/support/graph_values.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace lossmap::test {

const Parameter& add_parameter(Graph& graph, ParameterSpace& space, StateVector& origin, const std::string& name,
                               const Shape& shape, Role role, const std::function<double()>& next) {
    const bool state = role == Role::running_mean || role == Role::running_variance;
    std::vector<float>& segment = state ? origin.states : origin.weights;
    Parameter parameter;
    parameter.name = name + std::to_string(graph.values.size());
    parameter.shape = shape;
    parameter.role = role;
    parameter.offset = static_cast<std::int64_t>(segment.size());
    parameter.size = element_count(shape);
    Tensor data(DType::f32, shape);
    for (float& element : data.as<float>()) {
        element = static_cast<float>(next());
        segment.push_back(element);
    }
    Value value;
    value.name = parameter.name;
    value.kind = ValueKind::parameter;
    value.shape = shape;
    value.data = std::make_shared<const Tensor>(std::move(data));
    value.is_initializer = true;
    parameter.value = graph.add_value(std::move(value));
    graph.initializers.push_back(parameter.value);
    std::vector<Parameter>& list = state ? space.states : space.weights;
    list.push_back(std::move(parameter));
    return list.back();
}

ValueId add_constant(Graph& graph, Tensor tensor) {
    Value value;
    value.name = "constant" + std::to_string(graph.values.size());
    value.kind = ValueKind::constant;
    value.dtype = tensor.dtype();
    value.shape = tensor.shape();
    value.data = std::make_shared<const Tensor>(std::move(tensor));
    return graph.add_value(std::move(value));
}

}  // namespace lossmap::test
