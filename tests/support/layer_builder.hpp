#pragma once

#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/graph_values.hpp"
#include "tests/support/random_network.hpp"

namespace lossmap::test {

/// A value, and its shape without the samples.
struct Handle {
    ValueId value = kNoValue;
    Shape shape;
};

using Ints = std::vector<std::int64_t>;

/// Values and nodes of a network that is being made, its parameters random.
class LayerBuilder {
public:
    explicit LayerBuilder(Random& random) : random_(random) {
        net_.graph.opset = 20;
        net_.graph.ir_version = 9;
    }

protected:
    Handle start(const Shape& shape, DType dtype = DType::f32) {
        Value input;
        input.name = "input";
        input.kind = ValueKind::input;
        input.dtype = dtype;
        input.has_declared = true;
        input.declared.push_back({-1, "batch"});
        for (const std::int64_t extent : shape)
            input.declared.push_back({extent, ""});
        net_.sample_shape = shape;
        net_.graph.inputs.push_back(net_.graph.add_value(std::move(input)));
        net_.text += to_string(shape);
        return {net_.graph.inputs[0], shape};
    }
    ValueId parameter(const Shape& shape, Role role, double center, double spread) {
        return add_parameter(net_.graph, net_.space, net_.origin, "parameter", shape, role,
                             [&] { return center + spread * random_.signed_unit(); })
            .value;
    }
    ValueId weight(const Shape& shape, std::int64_t fan_in) {
        return parameter(shape, Role::filter_weight, 0.0, 1.7 / std::sqrt(static_cast<double>(fan_in)));
    }
    ValueId constant(Tensor tensor) { return add_constant(net_.graph, std::move(tensor)); }
    ValueId integers(const Ints& values) {
        return constant(Tensor::from<std::int64_t>(values, {static_cast<std::int64_t>(values.size())}));
    }
    ValueId number(float value) { return constant(Tensor::scalar<float>(value)); }
    Handle add(const std::string& op_type, std::vector<ValueId> inputs, Shape shape, Attributes attributes = {}) {
        Node node;
        node.op_type = op_type;
        node.name = op_type + "_" + std::to_string(net_.graph.nodes.size());
        node.opset = net_.graph.opset;
        node.inputs = std::move(inputs);
        node.attributes = std::move(attributes);
        Value result;
        result.name = node.name + "_output";
        node.outputs = {net_.graph.add_value(std::move(result))};
        net_.text += " " + op_type + to_string(shape);
        net_.graph.nodes.push_back(node);
        return {node.outputs[0], std::move(shape)};
    }
    static Attributes ints(std::initializer_list<std::pair<const char*, Ints>> entries) {
        Attributes attributes;
        for (const auto& [name, values] : entries)
            attributes.set(name, values);
        return attributes;
    }

    Handle activation(const Handle& x) {
        Attributes attributes;
        switch (random_.below(14)) {
            case 0: return add("Sigmoid", {x.value}, x.shape);
            case 1: return add("Tanh", {x.value}, x.shape);
            case 2: attributes.set("alpha", 0.2); return add("LeakyRelu", {x.value}, x.shape, attributes);
            case 3: return add("Elu", {x.value}, x.shape);
            case 4: return add("HardSwish", {x.value}, x.shape);
            case 5: return add("Softplus", {x.value}, x.shape);
            case 6: return add("Clip", {x.value, number(-0.5F), number(6.0F)}, x.shape);
            case 7: return add("Gelu", {x.value}, x.shape);
            case 8: return add("Mul", {x.value, add("Sigmoid", {x.value}, x.shape).value}, x.shape);
            case 9: {
                Shape slope(x.shape.size(), 1);
                slope[0] = x.shape[0];
                return add("PRelu", {x.value, parameter(slope, Role::other, 0.2, 0.1)}, x.shape);
            }
            default: return relu(x);
        }
    }
    Handle relu(const Handle& x) { return add("Relu", {x.value}, x.shape); }
    Handle batch_norm(const Handle& x) {
        const Shape channels{x.shape[0]};
        Attributes attributes;
        attributes.set("epsilon", 1e-3);
        return add(
            "BatchNormalization",
            {x.value, parameter(channels, Role::norm_scale, 1.0, 0.5), parameter(channels, Role::norm_shift, 0.0, 0.5),
             parameter(channels, Role::running_mean, 0.0, 0.3), parameter(channels, Role::running_variance, 1.0, 0.8)},
            x.shape, attributes);
    }
    /// Over all dimensions from a random one on, with scale and shift.
    Handle layer_norm(const Handle& x) {
        const auto axis = static_cast<std::size_t>(random_.below(std::ssize(x.shape)));
        const Shape affine(x.shape.begin() + static_cast<std::ptrdiff_t>(axis), x.shape.end());
        Attributes attributes;
        attributes.set("axis", static_cast<std::int64_t>(axis) + 1);
        return add(
            "LayerNormalization",
            {x.value, parameter(affine, Role::norm_scale, 1.0, 0.5), parameter(affine, Role::norm_shift, 0.0, 0.5)},
            x.shape, attributes);
    }

    Random& random_;
    RandomNetwork net_;
};

}  // namespace lossmap::test
