#include "backend/graph_interpreter.hpp"

#include <cstring>
#include <span>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"
#include "graph/operator_table.hpp"

namespace lossmap {
namespace {

/// A parameter at a point: the offset is rounded to fp32 before it is added.
Tensor perturbed(const Parameter& parameter, std::span<const float> origin,
                 const std::vector<std::span<const float>>& axes, const Point& point) {
    Tensor result(DType::f32, parameter.shape);
    const auto values = result.as<float>();
    for (std::size_t k = 0; k < values.size(); ++k) {
        const std::size_t at = static_cast<std::size_t>(parameter.offset) + k;
        float offset = 0.0F;
        bool moved = false;
        for (std::size_t axis = 0; axis < axes.size(); ++axis) {
            if (axes[axis].empty()) continue;
            const float step = axes[axis][at] * static_cast<float>(point.coordinates[axis]);
            offset = moved ? offset + step : step;
            moved = true;
        }
        values[k] = moved ? origin[at] + offset : origin[at];
    }
    return result;
}

}  // namespace

GraphInterpreter::GraphInterpreter(const ExecutableRequest& request, std::int64_t samples)
    : request_(request), bound_(bind_request(request, samples)) {}

void GraphInterpreter::load(const Point& point, const SampleChunk& chunk) {
    if (chunk.count < bound_.tile_samples) throw InternalError("{} of {} samples", bound_.tile_samples, chunk.count);
    values_.clear();
    std::vector<std::span<const float>> weights;
    std::vector<std::span<const float>> states;
    for (const AxisView& axis : request_.axes) {
        weights.push_back(axis.weights);
        states.push_back(axis.states);
    }
    for (const Parameter& parameter : request_.space->weights)
        values_[parameter.value] = perturbed(parameter, request_.origin->weights, weights, point);
    for (const Parameter& parameter : request_.space->states)
        values_[parameter.value] = point.states.empty() ? perturbed(parameter, request_.origin->states, states, point)
                                                        : perturbed(parameter, point.states, {}, point);
    for (std::size_t k = 0; k < bound_.graph.inputs.size(); ++k)
        load_input(bound_.graph.inputs[k], chunk.inputs[bound_.input_fields[k]]);
}

void GraphInterpreter::load_input(ValueId id, const SampleInput& source) {
    Tensor input(bound_.graph.value(id).dtype, bound_.graph.value(id).shape.value());
    if (source.is_bytes()) {
        source.decode(0, bound_.tile_samples, input.as<float>().data());
    } else if (input.dtype() == DType::i32 && source.dtype() == DType::i64) {
        convert_tokens(source.as<std::int64_t>().data(), input.as<std::int32_t>().data(), input.count());
    } else {
        std::memcpy(input.data(), source.data(), input.size_bytes());
    }
    values_[id] = std::move(input);
}

ConstTensorView GraphInterpreter::value(ValueId id) const {
    const auto found = values_.find(id);
    if (found != values_.end()) return found->second.view();
    const Value& constant = bound_.graph.value(id);
    if (!constant.data) throw InternalError("value '{}' is read before it is computed", constant.name);
    return constant.data->view();
}

void GraphInterpreter::compute(const Node& node, const std::map<ValueId, Tensor>& inputs,
                               std::map<ValueId, Tensor>& outputs) const {
    with_context(node.describe(), [&] {
        const OperatorInfo* info = find_operator(node.domain, node.op_type);
        if (info == nullptr || info->run == nullptr) throw InternalError("it has no kernel");
        std::vector<ConstTensorView> sources;
        for (const ValueId id : node.inputs) {
            const auto own = inputs.find(id);
            sources.push_back(id == kNoValue        ? ConstTensorView{}
                              : own != inputs.end() ? own->second.view()
                                                    : value(id));
        }
        std::vector<Tensor> results(node.outputs.size());
        std::vector<TensorView> targets(node.outputs.size());
        for (std::size_t k = 0; k < node.outputs.size(); ++k) {
            if (node.outputs[k] == kNoValue) continue;
            const Value& result = bound_.graph.value(node.outputs[k]);
            results[k] = Tensor(result.dtype, result.shape.value());
            targets[k] = results[k].view();
        }
        info->run(node, sources, targets);
        for (std::size_t k = 0; k < node.outputs.size(); ++k) {
            if (node.outputs[k] != kNoValue) outputs[node.outputs[k]] = std::move(results[k]);
        }
    });
}

}  // namespace lossmap
