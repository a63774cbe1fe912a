#include "tests/cuda/value_ranges.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "backend/graph_interpreter.hpp"

namespace lossmap::test {
namespace {

/// Values that a lowering may keep in fp32 registers only.
std::set<ValueId> inner_values(const Graph& graph) {
    std::set<ValueId> result;
    const auto consumers = graph.consumers();
    ValueId last = graph.outputs[0];
    const auto producers = graph.producers();
    while (true) {
        result.insert(last);
        const std::int32_t at = producers[static_cast<std::size_t>(last)];
        if (at < 0) break;
        const Node& node = graph.nodes[static_cast<std::size_t>(at)];
        if (node.op_type != "Reshape" && node.op_type != "Flatten") break;
        last = node.inputs[0];
    }
    // What does not depend on parameters is kept in fp32.
    std::set<ValueId> moving;
    for (const Node& node : graph.nodes) {
        const bool moves = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
            return id != kNoValue && (graph.value(id).kind == ValueKind::parameter || moving.contains(id));
        });
        (moves ? moving : result).insert(node.outputs.begin(), node.outputs.end());
    }
    for (const Node& node : graph.nodes) {
        const auto& readers = consumers[static_cast<std::size_t>(node.outputs[0])];
        if (readers.size() != 1) continue;
        const std::string& next = graph.nodes[static_cast<std::size_t>(readers[0])].op_type;
        if (next == "BatchNormalization" || next == "Add" || node.op_type == "Gather") result.insert(node.outputs[0]);
    }
    return result;
}

/// What the largest weight may become when norms are folded: gamma / sqrt(variance) times as large.
double folded_weight(const ParameterSpace& space, const GraphInterpreter& interpreter) {
    double gamma = 1.0;
    double factor = 1.0;
    double largest = 0.0;
    for (const Parameter& parameter : space.weights) {
        for (const float value : interpreter.value(parameter.value).as<float>()) {
            const double size = std::abs(static_cast<double>(value));
            if (parameter.role == Role::norm_scale) gamma = std::max(gamma, size);
            largest = std::max(largest, size);
        }
    }
    for (const Parameter& parameter : space.states) {
        if (parameter.role != Role::running_variance) continue;
        for (const float value : interpreter.value(parameter.value).as<float>())
            factor = std::max(factor, 1.0 / std::sqrt(std::max(static_cast<double>(value) + 1e-3, 0.0)));
    }
    return largest * gamma * factor;
}

}  // namespace

Ranges ranges_of(const ExecutableRequest& request, const Point& point, const SampleChunk& chunk) {
    GraphInterpreter interpreter(request, chunk.count);
    interpreter.load(point, chunk);
    const Graph& graph = interpreter.graph();
    const std::set<ValueId> inner = inner_values(graph);
    Ranges ranges;
    ranges.stored.assign(static_cast<std::size_t>(chunk.count), 0.0);
    for (const Node& node : graph.nodes) {
        interpreter.compute(node);
        const ConstTensorView view = interpreter.value(node.outputs[0]);
        if (view.dtype != DType::f32) continue;
        const auto values = view.as<float>();
        const bool by_sample = !view.shape.empty() && view.shape[0] == chunk.count;
        for (std::size_t k = 0; k < values.size(); ++k) {
            const double size = std::abs(static_cast<double>(values[k]));
            if (!std::isfinite(size)) ranges.finite = false;
            ranges.all = std::max(ranges.all, size);
            if (!by_sample || inner.contains(node.outputs[0])) continue;
            double& stored = ranges.stored[k / (values.size() / static_cast<std::size_t>(chunk.count))];
            stored = std::max(stored, size);
        }
    }
    for (const Tensor& input : chunk.inputs) {
        if (input.dtype() != DType::f32) continue;
        for (const float value : input.as<float>()) {
            if (!std::isfinite(value)) ranges.finite = false;
            ranges.all = std::max(ranges.all, static_cast<double>(std::abs(value)));
        }
    }
    ranges.all = std::max(ranges.all, folded_weight(*request.space, interpreter));
    return ranges;
}

}  // namespace lossmap::test
