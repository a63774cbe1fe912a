#include "cuda/backend/stage_chain.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "cuda/backend/lower/unary_functions.hpp"
#include "graph/ops/window.hpp"
#include "kernels/stage.hpp"

namespace lossmap::cuda {
namespace {

bool is_plain_3x3(const Node& node, const Shape& source, const Shape& weights) {
    if (weights.size() != 4 || weights[2] != 3 || weights[3] != 3) return false;
    if (node.attributes.get_int("group", 1) != 1) return false;
    const ops::Window window = ops::forward_window(node, source, std::span(weights).subspan(2));
    for (std::size_t axis = 1; axis < 3; ++axis) {
        if (window.stride[axis] != 1 || window.dilation[axis] != 1) return false;
        if (window.pad_begin[axis] != 1 || window.pad_end[axis] != 1) return false;
    }
    return true;
}

}  // namespace

StageChains::StageChains(const ProgramBuilder& builder, const Lowering& lowering, std::int64_t shared_bytes)
    : builder_(builder),
      lowering_(lowering),
      shared_bytes_(shared_bytes),
      consumers_(builder.graph().consumers()),
      step_of_node_(builder.graph().nodes.size(), -1),
      is_output_(builder.graph().values.size(), false) {
    for (std::size_t k = 0; k < lowering.steps.size(); ++k)
        step_of_node_[static_cast<std::size_t>(lowering.steps[k].node)] = static_cast<std::int32_t>(k);
    for (const ValueId id : builder.graph().outputs)
        is_output_[static_cast<std::size_t>(id)] = true;
}

ValueId StageChains::output_of(const Step& step) const { return builder_.node(step.last_node()).outputs[0]; }

std::string StageChains::why_not(const Step& step) const {
    const Node& node = builder_.node(step.node);
    if (!node.domain.empty() || node.op_type != "Conv") return "it is no convolution";
    const ValueId output = output_of(step);
    if (builder_.storage(output) != DType::f16 || !builder_.per_point(output)) return "its result is not kept in fp16";
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && depends_on_samples(builder_.class_of(node.inputs[k])))
            return "its weights depend on samples";
    }
    const Shape& source = builder_.shape(node.inputs[0]);
    const Shape& weights = builder_.shape(node.inputs[1]);
    if (source.size() != 4 || !is_plain_3x3(node, source, weights))
        return "it is not 3x3 with stride 1 and a border of 1";
    if (source[0] != builder_.options().tile_samples) return "its first dimension does not count samples";
    if (weights[0] != weights[1]) return "it changes the number of channels";
    if (source[2] != source[3]) return "its planes are not square";
    if (kernels::stage_tile_images(source[1], source[2], shared_bytes_) == 0) {
        return fmt::format("no kernel keeps {} channels of {} x {} pixels in {} KB", source[1], source[2], source[3],
                           shared_bytes_ >> 10);
    }
    if (step.activation < 0) return "";
    const auto activation = unary_function(builder_.graph(), builder_.node(step.activation));
    return activation && activation->op == kernels::UnaryOp::relu ? "" : "its activation is not ReLU";
}

std::optional<std::uint8_t> StageChains::kind_of(const Step& step, ValueId previous) const {
    std::uint8_t kind = step.activation >= 0 ? kernels::kStageRelu : 0;
    if (step.residual_add < 0) return kind;
    if (step.residual == builder_.node(step.node).inputs[0]) return kind | kernels::kStageAddInput;
    if (step.residual == previous) return kind | kernels::kStageAddPrevious;
    return {};
}

std::optional<std::size_t> StageChains::next(ValueId value, const Step& first) const {
    for (const std::int32_t reader : consumers_[static_cast<std::size_t>(value)]) {
        const std::int32_t index = step_of_node_[static_cast<std::size_t>(reader)];
        if (index < 0) continue;
        const Step& step = lowering_.steps[static_cast<std::size_t>(index)];
        if (builder_.node(reader).inputs[0] != value || !why_not(step).empty()) continue;
        if (builder_.shape(output_of(step)) == builder_.shape(output_of(first))) return index;
    }
    return {};
}

bool StageChains::stays_inside(const StageChain& chain, std::size_t length) const {
    // A result in the middle is there for the next layer, as its input or residual, and for the one behind that.
    for (std::size_t k = 0; k + 1 < length; ++k) {
        const ValueId value = output_of(lowering_.steps[chain.steps[k]]);
        if (is_output_[static_cast<std::size_t>(value)]) return false;
        const Step& next = lowering_.steps[chain.steps[k + 1]];
        const Step* second = k + 2 < length ? &lowering_.steps[chain.steps[k + 2]] : nullptr;
        for (const std::int32_t reader : consumers_[static_cast<std::size_t>(value)]) {
            const bool inside = reader == next.node || reader == next.residual_add ||
                                (second != nullptr && reader == second->residual_add);
            if (!inside) return false;
        }
    }
    return true;
}

std::optional<StageChain> StageChains::from(std::size_t start) const {
    const Step& first = lowering_.steps[start];
    if (!why_not(first).empty()) return {};
    StageChain chain;
    const ValueId input = builder_.node(first.node).inputs[0];
    if (first.residual_add >= 0 && first.residual != input) chain.residual = first.residual;
    ValueId previous = chain.residual;
    std::optional<std::size_t> index = start;
    while (index && chain.steps.size() < static_cast<std::size_t>(kernels::kMaxStageLayers)) {
        const Step& step = lowering_.steps[*index];
        const auto kind = kind_of(step, previous);
        if (!kind) break;
        chain.steps.push_back(*index);
        chain.kinds.push_back(*kind);
        previous = builder_.node(step.node).inputs[0];
        index = next(output_of(step), first);
    }
    std::size_t length = chain.steps.size();
    while (length >= 2 && !stays_inside(chain, length))
        --length;
    if (length < 2) return {};
    chain.steps.resize(length);
    chain.kinds.resize(length);
    const Shape& shape = builder_.shape(input);
    chain.channels = static_cast<int>(shape[1]);
    chain.side = static_cast<int>(shape[2]);
    chain.tile_images = kernels::stage_tile_images(shape[1], shape[2], shared_bytes_);
    return chain;
}

}  // namespace lossmap::cuda
