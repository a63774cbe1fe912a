#include "cuda/backend/stage_chain.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "cuda/backend/lower/unary_functions.hpp"
#include "graph/ops/window.hpp"
#include "kernels/split_stage.hpp"
#include "kernels/warpgroup_split_stage.hpp"
#include "kernels/warpgroup_stage.hpp"

namespace lossmap::cuda {
namespace {

/// A square window of `taps` taps that keeps the side, or halves an even one, as its stride says.
bool has_window(const Node& node, const Shape& source, const Shape& weights, std::int64_t taps, std::int64_t stride) {
    if (weights.size() != 4 || weights[2] != taps || weights[3] != taps) return false;
    if (node.attributes.get_int("group", 1) != 1) return false;
    const ops::Window window = ops::forward_window(node, source, std::span(weights).subspan(2));
    for (std::size_t axis = 1; axis < 3; ++axis) {
        if (window.stride[axis] != stride || window.dilation[axis] != 1) return false;
        // Behind an even side a last row or column of a border would not be read.
        if (window.pad_begin[axis] != taps / 2 || window.output[axis] * stride != window.input[axis]) return false;
    }
    return true;
}

/// Channels stand in whole groups of 8, the last ones of which are zeros.
std::int64_t stored(std::int64_t channels) { return (channels + 7) / 8 * 8; }

/// Whether weights for so many channels can be laid out by one rule.
bool can_be_packed(std::int64_t channels) { return channels < 8 || channels % 8 == 0; }

}  // namespace

std::vector<const StageKernel*> stage_kernels(const BuildOptions& options, const PassSet& passes,
                                              const DeviceFacts& facts) {
    using kernels::KernelTable;
    static constexpr StageKernel kHalf{"stage", &KernelTable::stage, &kernels::stage_fit, DType::f16, "fp16", 1, true};
    static constexpr StageKernel kWarpgroups{
        "warpgroup_stage", &KernelTable::warpgroup_stage, &kernels::warpgroup_fit, DType::f16, "fp16", 1, true};
    static constexpr StageKernel kSplit{"split_stage",
                                        &KernelTable::split_stage,
                                        &kernels::split_fit,
                                        DType::f32,
                                        "fp32 by three products of fp16 halves",
                                        2,
                                        true};
    static constexpr StageKernel kWarpgroupSplit{"warpgroup_split_stage",
                                                 &KernelTable::warpgroup_split_stage,
                                                 &kernels::warpgroup_split_fit,
                                                 kSplit.pixels,
                                                 kSplit.arithmetic,
                                                 kSplit.halves,
                                                 kSplit.crossing_skips};
    static constexpr StageKernel kTf32{"tf32_stage",
                                       &KernelTable::tf32_stage,
                                       &kernels::tf32_fit,
                                       DType::f32,
                                       "tf32 by products of its 11 bits in fp16",
                                       1,
                                       false};
    // Statistics rest on plain fp32.
    if (options.training) return {};
    // wgmma is sm_90a's: neither older nor newer devices have it.
    const bool has_wgmma = facts.architecture == "sm_90";
    if (options.precision == Precision::fp32 && passes.split_stages) {
        if (passes.warpgroup_split_stages && has_wgmma) return {&kWarpgroupSplit, &kSplit};
        return {&kSplit};
    }
    if (!passes.stages) return {};
    if (options.precision == Precision::tf32) return {&kTf32};
    if (options.precision != Precision::fp16) return {};
    if (passes.warpgroup_stages && has_wgmma) return {&kWarpgroups, &kHalf};
    return {&kHalf};
}

StageChains::StageChains(const ProgramBuilder& builder, const Lowering& lowering,
                         std::vector<const StageKernel*> kernels)
    : builder_(builder),
      lowering_(lowering),
      kernels_(std::move(kernels)),
      shared_bytes_(builder.device().facts().shared_bytes),
      readers_(builder.graph(), lowering) {}

ValueId StageChains::output_of(const Step& step) const { return builder_.node(step.last_node()).outputs[0]; }

std::pair<const StageKernel*, kernels::StageFit> StageChains::fit_of(std::int64_t channels, std::int64_t side) const {
    for (const StageKernel* kernel : kernels_) {
        const kernels::StageFit fit = kernel->fit(channels, side, shared_bytes_);
        if (fit.channels != 0) return {kernel, fit};
    }
    return {};
}

std::string StageChains::why_no_convolution(const Step& step) const {
    const Node& node = builder_.node(step.node);
    if (!node.domain.empty() || node.op_type != "Conv") return "it is no convolution";
    const ValueId output = output_of(step);
    if (!builder_.per_point(output)) return "its result is the same at all points";
    if (builder_.storage(output) != kernels_.front()->pixels)
        return fmt::format("its result is not kept in {}", name_of(builder_.options().precision));
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && depends_on_samples(builder_.class_of(node.inputs[k])))
            return "its weights depend on samples";
    }
    const Shape& source = builder_.shape(node.inputs[0]);
    if (source.size() == 4 && source[0] != builder_.options().tile_samples)
        return "its first dimension does not count samples";
    if (step.activation < 0) return "";
    const auto activation = unary_function(builder_.graph(), builder_.node(step.activation));
    return activation && activation->op == kernels::UnaryOp::relu ? "" : "its activation is not ReLU";
}

std::string StageChains::why_not(const Step& step) const {
    if (std::string reason = why_no_convolution(step); !reason.empty()) return reason;
    const Node& node = builder_.node(step.node);
    const Shape& source = builder_.shape(node.inputs[0]);
    const Shape& weights = builder_.shape(node.inputs[1]);
    if (source.size() != 4 || !has_window(node, source, weights, 3, 1))
        return "it is not 3x3 with stride 1 and a border of 1";
    if (source[2] != source[3]) return "its planes are not square";
    const kernels::StageFit fit = fit_of(weights[0], source[2]).second;
    if (fit.channels == 0 || !can_be_packed(weights[0])) {
        return fmt::format("no kernel keeps {} channels of {} x {} pixels in {} KB", weights[0], source[2], source[3],
                           shared_bytes_ >> 10);
    }
    if (weights[0] == weights[1]) return "";
    // As the first layer of a chain.
    const bool opens = can_be_packed(weights[1]) && stored(weights[1]) <= fit.channels && step.residual_add < 0;
    return opens ? "" : "it changes the number of channels";
}

std::optional<std::uint8_t> StageChains::kind_of(const Step& step, ValueId previous) const {
    std::uint8_t kind = step.activation >= 0 ? kernels::kStageRelu : 0;
    if (step.residual_add < 0) return kind;
    if (step.residual == builder_.node(step.node).inputs[0]) return kind | kernels::kStageAddInput;
    if (step.residual == previous) return kind | kernels::kStageAddPrevious;
    return {};
}

std::optional<std::size_t> StageChains::next(ValueId value, const Step& first) const {
    for (const std::int32_t reader : readers_.of(value)) {
        const auto index = readers_.step_of(reader);
        if (!index) continue;
        const Step& step = lowering_.steps[*index];
        if (builder_.node(reader).inputs[0] != value || !why_not(step).empty()) continue;
        if (builder_.shape(value) != builder_.shape(output_of(step))) continue;
        if (builder_.shape(output_of(step)) == builder_.shape(output_of(first))) return index;
    }
    return {};
}

bool StageChains::stays_inside(const StageChain& chain, std::size_t length) const {
    // A result in the middle is there for the next layer, as its input or residual, and for the one behind that.
    for (std::size_t k = 0; k + 1 < length; ++k) {
        const ValueId value = output_of(lowering_.steps[chain.steps[k]]);
        if (readers_.is_output(value)) return false;
        const Step& next = lowering_.steps[chain.steps[k + 1]];
        const Step* second = k + 2 < length ? &lowering_.steps[chain.steps[k + 2]] : nullptr;
        for (const std::int32_t reader : readers_.of(value)) {
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
    const Shape& shape = builder_.shape(output_of(first));
    const auto [kernel, fit] = fit_of(shape[1], shape[2]);
    chain.kernel = kernel;
    const ValueId input = builder_.node(first.node).inputs[0];
    if (first.residual_add >= 0 && first.residual != input) chain.residual = first.residual;
    ValueId previous = chain.residual;
    std::optional<std::size_t> index = start;
    while (index && chain.steps.size() < static_cast<std::size_t>(kernels::kMaxStageLayers)) {
        const Step& step = lowering_.steps[*index];
        const auto kind = kind_of(step, previous);
        if (!kind) break;
        const bool crosses = !chain.kinds.empty() && kernels::skips_cross(chain.kinds.back(), *kind);
        if (crosses && !kernel->crossing_skips) break;
        chain.steps.push_back(*index);
        chain.kinds.push_back(*kind);
        previous = builder_.node(step.node).inputs[0];
        index = next(output_of(step), first);
    }
    std::size_t length = chain.steps.size();
    while (length >= 2 && !stays_inside(chain, length))
        --length;
    if (length == 0) return {};
    chain.steps.resize(length);
    chain.kinds.resize(length);
    chain.channels = fit.channels;
    chain.side = static_cast<int>(shape[2]);
    chain.tile_images = fit.tile_images;
    if (fit.has_exit) find_exit(chain);
    if (chain.members().size() < 2) return {};
    return chain;
}

bool StageChains::leaves(const Step& step, std::int64_t taps, const StageChain& chain) const {
    if (!why_no_convolution(step).empty() || step.residual_add >= 0) return false;
    const Node& node = builder_.node(step.node);
    const Shape& weights = builder_.shape(node.inputs[1]);
    return has_window(node, builder_.shape(node.inputs[0]), weights, taps, 2) && can_be_packed(weights[0]) &&
           stored(weights[0]) <= std::int64_t{2} * chain.channels;
}

void StageChains::find_exit(StageChain& chain) const {
    const ValueId value = output_of(lowering_.steps[chain.steps.back()]);
    bool others = readers_.is_output(value);
    std::optional<std::size_t> shortcut;
    for (const std::int32_t reader : readers_.of(value)) {
        const auto index = readers_.step_of(reader);
        const Step* step = index ? &lowering_.steps[*index] : nullptr;
        const bool convolves = step != nullptr && builder_.node(reader).inputs[0] == value;
        if (convolves && !chain.exit && leaves(*step, 3, chain)) {
            chain.exit = index;
        } else if (convolves && !shortcut && step->activation < 0 && leaves(*step, 1, chain)) {
            shortcut = index;
        } else {
            others = true;
        }
    }
    if (!chain.exit) return;
    const auto shape_of = [&](std::size_t step) { return builder_.shape(output_of(lowering_.steps[step])); };
    if (shortcut && shape_of(*shortcut) == shape_of(*chain.exit))
        chain.shortcut = shortcut;
    else if (shortcut)
        others = true;
    chain.keeps_result = others;
}

std::vector<std::size_t> StageChain::members() const {
    std::vector<std::size_t> all = steps;
    if (exit) all.push_back(*exit);
    if (shortcut) all.push_back(*shortcut);
    return all;
}

}  // namespace lossmap::cuda
