#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/operator_table.hpp"
#include "graph/specialize.hpp"
#include "tests/support/message_of.hpp"

namespace lossmap::test {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Builds graphs by hand, value by value.
class GraphBuilder {
public:
    explicit GraphBuilder(std::int64_t opset = 17) { graph_.opset = opset; }

    ValueId input(const std::string& name, std::vector<Dimension> declared = {}, DType dtype = DType::f32) {
        Value value;
        value.name = name;
        value.kind = ValueKind::input;
        value.dtype = dtype;
        value.has_declared = !declared.empty();
        value.declared = std::move(declared);
        const ValueId id = graph_.add_value(std::move(value));
        graph_.inputs.push_back(id);
        return id;
    }

    ValueId constant(Tensor tensor, ValueKind kind = ValueKind::constant) {
        Value value;
        value.name = "constant_" + std::to_string(graph_.values.size());
        value.kind = kind;
        value.dtype = tensor.dtype();
        value.shape = tensor.shape();
        value.data = std::make_shared<const Tensor>(std::move(tensor));
        value.is_initializer = true;
        const ValueId id = graph_.add_value(std::move(value));
        graph_.initializers.push_back(id);
        return id;
    }

    template <typename T>
    ValueId constant(const std::vector<T>& values, Shape shape, ValueKind kind = ValueKind::constant) {
        return constant(Tensor::from<T>(values, std::move(shape)), kind);
    }

    ValueId ints(const std::vector<std::int64_t>& values) {
        return constant<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
    }
    ValueId scalar(std::int64_t value) { return constant<std::int64_t>({value}, {}); }

    /// Adds a node and returns its outputs.
    std::vector<ValueId> node_with_outputs(const std::string& op_type, std::vector<ValueId> inputs, std::size_t outputs,
                                           const std::map<std::string, Attribute>& attributes = {}) {
        Node node;
        node.op_type = op_type;
        node.name = op_type + "_" + std::to_string(graph_.nodes.size());
        node.opset = graph_.opset;
        node.inputs = std::move(inputs);
        for (const auto& [name, attribute] : attributes)
            node.attributes.set(name, attribute);
        for (std::size_t k = 0; k < outputs; ++k) {
            Value value;
            value.name = node.name + "_output_" + std::to_string(k);
            node.outputs.push_back(graph_.add_value(std::move(value)));
        }
        graph_.nodes.push_back(node);
        return node.outputs;
    }
    ValueId node(const std::string& op_type, std::vector<ValueId> inputs,
                 const std::map<std::string, Attribute>& attributes = {}) {
        return node_with_outputs(op_type, std::move(inputs), 1, attributes).front();
    }

    void output(ValueId id) { graph_.outputs.push_back(id); }
    [[nodiscard]] Graph& graph() { return graph_; }

private:
    Graph graph_;
};

/// Runs every node of a specialised graph with the host kernels. Outputs start as NaN. Returns the graph's outputs.
inline std::vector<Tensor> run_graph(const Graph& graph, const std::map<std::string, const Tensor*>& inputs) {
    std::vector<Tensor> computed(graph.values.size());
    std::vector<const Tensor*> current(graph.values.size(), nullptr);
    for (std::size_t k = 0; k < graph.values.size(); ++k) {
        const Value& value = graph.values[k];
        if (value.data) current[k] = value.data.get();
        if (value.kind == ValueKind::input) {
            const auto found = inputs.find(value.name);
            if (found != inputs.end()) current[k] = found->second;
        }
    }
    for (const Node& node : graph.nodes) {
        std::vector<ConstTensorView> views;
        for (const ValueId id : node.inputs) {
            views.push_back(id == kNoValue ? ConstTensorView{} : current[static_cast<std::size_t>(id)]->view());
        }
        std::vector<TensorView> results;
        for (const ValueId id : node.outputs) {
            if (id == kNoValue) {
                results.emplace_back();
                continue;
            }
            const auto at = static_cast<std::size_t>(id);
            computed[at] = Tensor(graph.value(id).dtype, graph.value(id).shape.value());
            if (computed[at].dtype() == DType::f32) {
                for (float& x : computed[at].as<float>())
                    x = std::numeric_limits<float>::quiet_NaN();
            }
            current[at] = &computed[at];
            results.push_back(computed[at].view());
        }
        find_operator(node.domain, node.op_type)->run(node, views, results);
    }
    std::vector<Tensor> outputs;
    for (const ValueId id : graph.outputs)
        outputs.push_back(current[static_cast<std::size_t>(id)]->clone());
    return outputs;
}

/// One node on the given tensors: shape rule (all inputs known to it), then kernel.
inline std::vector<Tensor> run_node(const std::string& op_type, std::vector<Tensor> inputs,
                                    const std::map<std::string, Attribute>& attributes = {}, std::int64_t opset = 17,
                                    std::size_t outputs = 1) {
    GraphBuilder builder(opset);
    std::vector<ValueId> ids;
    for (Tensor& tensor : inputs)
        ids.push_back(tensor.data() == nullptr && tensor.shape().empty() ? kNoValue
                                                                         : builder.constant(std::move(tensor)));
    const std::vector<ValueId> results = builder.node_with_outputs(op_type, ids, outputs, attributes);
    for (const ValueId id : results)
        builder.output(id);
    return run_graph(specialize(builder.graph(), {}), {});
}

/// A tensor of f32 from numbers.
inline Tensor floats(const std::vector<double>& values, Shape shape) {
    const std::vector<float> singles(values.begin(), values.end());
    return Tensor::from<float>(singles, std::move(shape));
}
inline Tensor vector_of(const std::vector<double>& values) {
    return floats(values, {static_cast<std::int64_t>(values.size())});
}
inline Tensor int_tensor(const std::vector<std::int64_t>& values) {
    return Tensor::from<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
}

/// Reproducible numbers in [-1, 1): a linear congruential generator, independent of the program's own.
inline Tensor noise(Shape shape, std::uint64_t seed = 1) {
    Tensor tensor(DType::f32, std::move(shape));
    for (float& x : tensor.as<float>()) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x = static_cast<float>(static_cast<double>(seed >> 11) * 0x1p-52 - 1.0);
    }
    return tensor;
}

inline std::vector<double> to_doubles(const Tensor& tensor) {
    std::vector<double> values;
    if (tensor.dtype() == DType::f32) values.assign(tensor.as<float>().begin(), tensor.as<float>().end());
    if (tensor.dtype() == DType::f64) values.assign(tensor.as<double>().begin(), tensor.as<double>().end());
    if (tensor.dtype() == DType::boolean) values.assign(tensor.as<bool>().begin(), tensor.as<bool>().end());
    if (tensor.dtype() == DType::i32) values.assign(tensor.as<std::int32_t>().begin(), tensor.as<std::int32_t>().end());
    if (tensor.dtype() == DType::i64) {
        for (const std::int64_t x : tensor.as<std::int64_t>())
            values.push_back(static_cast<double>(x));
    }
    return values;
}

inline void expect_close(const Tensor& actual, const std::vector<double>& expected, double tolerance = 1e-5) {
    const std::vector<double> values = to_doubles(actual);
    ASSERT_EQ(values.size(), expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isnan(expected[i]))
            EXPECT_TRUE(std::isnan(values[i])) << "element " << i << " is " << values[i];
        else if (std::isinf(expected[i]))
            EXPECT_EQ(values[i], expected[i]) << "element " << i;
        else
            EXPECT_NEAR(values[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << "element " << i;
    }
}

}  // namespace lossmap::test
