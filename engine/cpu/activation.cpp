#include "cpu/activation.hpp"

#include <cmath>

#include "core/error.hpp"
#include "cpu/elementwise.hpp"

namespace lossmap::cpu {

void Activation::apply(float* values, std::size_t count) const {
    switch (kind) {
        case Kind::none: return;
        case Kind::relu: return relu(values, count);
        case Kind::clip: return clip(values, count, low, high);
    }
}

void Activation::apply_to_bf16(std::uint16_t* values, std::size_t count) const {
    switch (kind) {
        case Kind::none: return;
        case Kind::relu: return relu_bf16(values, count);
        case Kind::clip: return clip_bf16(values, count, low, high);
    }
}

std::string Activation::suffix() const {
    switch (kind) {
        case Kind::none: return "";
        case Kind::relu: return "+relu";
        case Kind::clip: return "+clip";
    }
    throw InternalError("activation {} has no name", static_cast<int>(kind));
}

std::optional<Activation> activation_of(const Graph& graph, const Node& node) {
    if (!node.domain.empty() || node.inputs.empty() || graph.value(node.inputs[0]).dtype != DType::f32) return {};
    if (node.op_type == "Relu") return Activation{Activation::Kind::relu, 0.0F, 0.0F};
    if (node.op_type != "Clip") return {};
    Activation result{Activation::Kind::clip, static_cast<float>(node.attributes.get_float("min", -HUGE_VAL)),
                      static_cast<float>(node.attributes.get_float("max", HUGE_VAL))};
    for (const std::size_t k : {std::size_t{1}, std::size_t{2}}) {
        if (!node.has_input(k)) continue;
        const Value& bound = graph.value(node.inputs[k]);
        if (bound.kind != ValueKind::constant || !bound.data || bound.dtype != DType::f32 || bound.data->count() != 1) {
            return {};
        }
        (k == 1 ? result.low : result.high) = bound.data->as<float>()[0];
    }
    return result;
}

}  // namespace lossmap::cpu
