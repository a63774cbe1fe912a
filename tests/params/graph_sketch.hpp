#pragma once

#include <cmath>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "graph/graph.hpp"
#include "params/parameter_space.hpp"

namespace lossmap::test {

/// Draws small graphs by name: tensors with distinct values, nodes in order.
class GraphSketch {
public:
    /// Attributes of a node.
    using Settings = std::vector<std::pair<std::string, Attribute>>;

    GraphSketch() { input("x"); }

    void input(const std::string& name) {
        Value value;
        value.name = name;
        value.kind = ValueKind::input;
        graph.inputs.push_back(graph.add_value(std::move(value)));
    }
    /// fp32 initializer with distinct values, or `fill` throughout.
    Value& weight(const std::string& name, const Shape& shape) { return store(name, shape, nullptr, true); }
    Value& weight(const std::string& name, const Shape& shape, float fill) { return store(name, shape, &fill, true); }
    /// The same as a Constant node of the file gives it.
    Value& constant(const std::string& name, const Shape& shape) { return store(name, shape, nullptr, false); }
    Value& constant(const std::string& name, const Shape& shape, float fill) {
        return store(name, shape, &fill, false);
    }

    void ints(const std::string& name, std::initializer_list<std::int64_t> values) {
        Value value;
        value.name = name;
        value.kind = ValueKind::constant;
        value.dtype = DType::i64;
        const std::vector<std::int64_t> list(values);
        value.data =
            std::make_shared<const Tensor>(Tensor::from<std::int64_t>(list, {static_cast<std::int64_t>(list.size())}));
        value.shape = value.data->shape();
        value.is_initializer = true;
        graph.initializers.push_back(graph.add_value(std::move(value)));
    }

    /// Adds a node named like its first output; "" is an omitted input.
    void node(const std::string& op_type, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs, const Settings& settings = {}) {
        Node node;
        node.op_type = op_type;
        node.name = outputs.front();
        node.opset = 17;
        for (const std::string& name : inputs)
            node.inputs.push_back(name.empty() ? kNoValue : id_of(name));
        for (const std::string& name : outputs) {
            Value value;
            value.name = name;
            node.outputs.push_back(graph.add_value(std::move(value)));
        }
        for (const auto& [name, attribute] : settings)
            node.attributes.set(name, attribute);
        graph.outputs = {node.outputs.front()};
        graph.nodes.push_back(std::move(node));
    }

    /// A dense layer whose weight keeps `identify_parameters` from refusing a graph without any.
    void anchor() {
        weight("anchor.weight", {2, 3});
        node("Gemm", {"x", "anchor.weight"}, {"anchored"}, {{"transB", std::int64_t{1}}});
    }

    ParameterSpace identify(const ParameterRules& rules = {}) { return identify_parameters(graph, rules); }

    Graph graph;

private:
    ValueId id_of(const std::string& name) {
        const ValueId id = graph.find(name);
        if (id == kNoValue) throw InternalError("the sketch has no value '{}'", name);
        return id;
    }
    Value& store(const std::string& name, const Shape& shape, const float* fill, bool initializer) {
        Tensor tensor(DType::f32, shape);
        float next = static_cast<float>(graph.values.size());
        for (float& element : tensor.as<float>())
            element = fill != nullptr ? *fill : std::sin(next += 1.0F);
        Value value;
        value.name = name;
        value.kind = ValueKind::constant;
        value.shape = shape;
        value.data = std::make_shared<const Tensor>(std::move(tensor));
        value.is_initializer = initializer;
        const ValueId id = graph.add_value(std::move(value));
        if (initializer) graph.initializers.push_back(id);
        return graph.value(id);
    }
};

/// Reason why `name` is a constant, "" when it is none.
inline std::string constant_reason(const ParameterSpace& space, const std::string& name) {
    for (const ConstantInfo& constant : space.constants) {
        if (constant.name == name) return constant.reason;
    }
    return "";
}

}  // namespace lossmap::test
