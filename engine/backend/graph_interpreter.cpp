#include "backend/graph_interpreter.hpp"

#include <cstring>
#include <map>

#include "backend/bound_request.hpp"
#include "backend/chunk_checks.hpp"
#include "core/error.hpp"
#include "graph/operator_table.hpp"
#include "plan/value_classes.hpp"

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

class Interpreter {
public:
    Interpreter(const ExecutableRequest& request, std::int64_t samples)
        : request_(request), bound_(bind_request(request, samples)) {}

    void load(const Point& point, const SampleChunk& chunk) {
        std::vector<std::span<const float>> weights;
        std::vector<std::span<const float>> states;
        for (const AxisView& axis : request_.axes) {
            weights.push_back(axis.weights);
            states.push_back(axis.states);
        }
        for (const Parameter& parameter : request_.space->weights)
            values_[parameter.value] = perturbed(parameter, request_.origin->weights, weights, point);
        for (const Parameter& parameter : request_.space->states)
            values_[parameter.value] = point.states.empty()
                                           ? perturbed(parameter, request_.origin->states, states, point)
                                           : perturbed(parameter, point.states, {}, point);
        for (std::size_t k = 0; k < bound_.graph.inputs.size(); ++k)
            load_input(bound_.graph.inputs[k], chunk.inputs[bound_.input_fields[k]]);
    }

    [[nodiscard]] std::vector<NamedTensor> run() {
        const std::vector<ValueClass> classes = classify(bound_.graph);
        std::vector<NamedTensor> result;
        for (const Node& node : bound_.graph.nodes) {
            with_context(node.describe(), [&] { compute(node); });
            for (const ValueId id : node.outputs) {
                if (id == kNoValue || bound_.graph.value(id).dtype != DType::f32) continue;
                if (depends_on_samples(classes[static_cast<std::size_t>(id)]))
                    result.push_back({bound_.graph.value(id).name, values_.at(id).clone()});
            }
        }
        return result;
    }

private:
    void load_input(ValueId id, const Tensor& source) {
        Tensor input(bound_.graph.value(id).dtype, bound_.graph.value(id).shape.value());
        if (input.dtype() == DType::i32 && source.dtype() == DType::i64) {
            convert_tokens(source.as<std::int64_t>().data(), input.as<std::int32_t>().data(), input.count());
        } else {
            std::memcpy(input.data(), source.data(), input.size_bytes());
        }
        values_[id] = std::move(input);
    }

    [[nodiscard]] ConstTensorView view(ValueId id) const {
        if (id == kNoValue) return {};
        const auto found = values_.find(id);
        if (found != values_.end()) return found->second.view();
        const Value& value = bound_.graph.value(id);
        if (!value.data) throw InternalError("value '{}' is read before it is computed", value.name);
        return value.data->view();
    }

    void compute(const Node& node) {
        std::vector<ConstTensorView> inputs;
        for (const ValueId id : node.inputs)
            inputs.push_back(view(id));
        std::vector<TensorView> outputs;
        for (const ValueId id : node.outputs) {
            if (id == kNoValue) {
                outputs.emplace_back();
                continue;
            }
            values_[id] = Tensor(bound_.graph.value(id).dtype, bound_.graph.value(id).shape.value());
            outputs.push_back(values_[id].view());
        }
        const OperatorInfo* info = find_operator(node.domain, node.op_type);
        if (info == nullptr || info->run == nullptr) throw InternalError("it has no kernel");
        info->run(node, inputs, outputs);
    }

    const ExecutableRequest& request_;
    BoundRequest bound_;
    std::map<ValueId, Tensor> values_;
};

}  // namespace

std::vector<NamedTensor> interpret(const ExecutableRequest& request, const Point& point, const SampleChunk& chunk,
                                   std::int64_t samples) {
    if (samples < 1 || samples > chunk.count) throw InternalError("{} of {} samples", samples, chunk.count);
    Interpreter interpreter(request, samples);
    interpreter.load(point, chunk);
    return interpreter.run();
}

}  // namespace lossmap
