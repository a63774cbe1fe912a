#include <array>
#include <memory>

#include "core/error.hpp"
#include "cpu/chosen_primitive.hpp"
#include "cpu/dnnl_operation.hpp"
#include "cpu/joined_nodes.hpp"
#include "cpu/lowerings.hpp"
#include "cpu/plan_record.hpp"
#include "cpu/winograd_operation.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::cpu {
namespace {

struct ConvolutionShape {
    Shape weights;  ///< as oneDNN wants them: with a group axis in front where there are groups
    Shape strides;
    Shape dilations;  ///< minus one
    Shape pads_begin;
    Shape pads_end;
};

ConvolutionShape convolution_shape(const Node& node, const Shape& source, const Shape& weights) {
    const std::int64_t groups = node.attributes.get_int("group", 1);
    const ops::Window window = ops::forward_window(node, source, std::span(weights).subspan(2));
    ConvolutionShape result;
    result.weights = weights;
    if (groups > 1) {
        result.weights[0] /= groups;
        result.weights.insert(result.weights.begin(), groups);
    }
    for (std::size_t axis = 3 - window.spatial; axis < 3; ++axis) {
        result.strides.push_back(window.stride[axis]);
        result.dilations.push_back(window.dilation[axis] - 1);
        result.pads_begin.push_back(window.pad_begin[axis]);
        result.pads_end.push_back(window.pad_end[axis]);
    }
    return result;
}

bool is_supported(const ProgramBuilder& builder, const Node& node) {
    const Shape& source = builder.shape(node.inputs[0]);
    if (source.size() < 3 || source.size() > 5 || element_count(source) == 0) return false;
    if (!builder.depends_on_samples(node.inputs[0])) return false;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        if (!node.has_input(k)) continue;
        if (builder.value(node.inputs[k]).dtype != DType::f32) return false;
        if (k > 0 && builder.depends_on_samples(node.inputs[k])) return false;
    }
    return element_count(builder.shape(node.outputs[0])) > 0;
}

PackedLayer packed_layer(const Node& node, const Shape& weights, const JoinedNodes& joined) {
    PackedLayer layer;
    layer.weights = node.inputs[1];
    layer.outputs = {1, weights[0], element_count(std::span(weights).subspan(1))};
    if (node.has_input(2)) layer.bias = node.inputs[2];
    layer.norm = joined.norm();
    return layer;
}

/// Beyond this many channels the transformed weights (16 numbers for 9) no longer fit the caches.
constexpr std::int64_t kMostWinogradChannels = 256;

/// In bf16, Winograd's rounding of what it has transformed is not worth it for fewer channels: ResNet-56 gains 3 % by
/// it in its 16-channel layers, and the loss is off by 1.2 % at most instead of 0.7 %.
constexpr std::int64_t kLeastBf16Channels = 32;

/// @param bf16  source, weights and target are.
bool suits_winograd(const Node& node, const Shape& source, const Shape& weights, bool bf16) {
    const auto suit = [&](std::int64_t channels) {
        return channels % 16 == 0 && channels <= kMostWinogradChannels && (!bf16 || channels >= kLeastBf16Channels);
    };
    // AMX multiplies faster than vdpbf16ps by more than the transforms save.
    if (bf16 ? !winograd_bf16_available() || amx_available() : !winograd_available()) return false;
    if (source.size() != 4 || node.attributes.get_int("group", 1) != 1) return false;
    if (weights[2] != 3 || weights[3] != 3 || !suit(weights[0]) || !suit(weights[1])) return false;
    const ops::Window window = ops::forward_window(node, source, std::span(weights).subspan(2));
    for (const std::size_t axis : {std::size_t{1}, std::size_t{2}}) {
        if (window.stride[axis] != 1 || window.dilation[axis] != 1) return false;
    }
    return true;
}

WinogradShape winograd_shape(const Node& node, const Shape& source, const Shape& target) {
    const std::array<std::int64_t, 2> kernel{3, 3};
    const ops::Window window = ops::forward_window(node, source, kernel);
    return {source[0],           source[2], source[3], source[1], window.pad_begin[1],
            window.pad_begin[2], target[2], target[3], target[1]};
}

auto choose_convolution(ProgramBuilder& builder, const Node& node, const JoinedNodes& joined,
                        const ConvolutionShape& shape, bool has_bias) {
    const Shape& source = builder.shape(node.inputs[0]);
    const Shape& target = builder.shape(joined.output());
    const auto make = [&](bool bf16, bool bf16_target) {
        return dnnl::convolution_forward::primitive_desc(
            builder.materializer().engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
            channels_last_desc(source, bf16), any_desc(shape.weights, bf16),
            has_bias ? plain_desc({target[1]}) : dnnl::memory::desc(), channels_last_desc(target, bf16_target),
            shape.strides, shape.dilations, shape.pads_begin, shape.pads_end,
            attributes_with_scratch(joined.has_residual()), true);
    };
    return choose_primitive(builder, joined.output(), make);
}

}  // namespace

bool lower_convolution(ProgramBuilder& builder, const Step& step) {
    const Node& node = builder.node(step.node);
    if (!is_supported(builder, node)) return false;
    const JoinedNodes joined(builder, step);
    const Shape& source_shape = builder.shape(node.inputs[0]);
    const Shape& weights_shape = builder.shape(node.inputs[1]);
    const Shape& target_shape = builder.shape(joined.output());
    const ConvolutionShape shape = convolution_shape(node, source_shape, weights_shape);

    const PackedLayer layer = packed_layer(node, weights_shape, joined);
    const auto chosen = choose_convolution(builder, node, joined, shape, layer.has_bias());
    const auto& primitive = chosen.primitive;
    if (!primitive) return false;

    const Place source = builder.read(node.inputs[0], {Layout::channels_last, chosen.bf16});
    const JoinedNodes::Target target = joined.target({Layout::channels_last, chosen.bf16_target}, source);
    std::vector<DnnlArgument> arguments{{DNNL_ARG_SRC, primitive.src_desc(), source},
                                        {DNNL_ARG_DST, primitive.dst_desc(), target.place}};
    const dnnl::memory::desc plain = plain_desc(shape.weights);
    const dnnl::memory::desc wanted = primitive.weights_desc();
    arguments.push_back({DNNL_ARG_WEIGHTS, wanted, builder.materializer().pack_weights(layer, &plain, &wanted)});
    Place bias;
    if (layer.has_bias()) {
        bias = builder.materializer().pack_bias(layer);
        arguments.push_back({DNNL_ARG_BIAS, primitive.bias_desc(), bias});
    }
    arguments.push_back(
        {DNNL_ARG_SCRATCHPAD, primitive.scratchpad_desc(), builder.scratch(primitive.scratchpad_desc().get_size())});
    builder.count_macs(element_count(target_shape) * layer.outputs.inner);
    auto direct =
        std::make_unique<DnnlOperation>(dnnl::convolution_forward(primitive), primitive.impl_info_str(), arguments);
    direct->remark(chosen.remark);
    direct->copy_first(target.copy_from);
    direct->activate(joined.activation());
    const bool transforms = builder.options().passes.transforms && chosen.bf16 == chosen.bf16_target;
    if (!transforms || !suits_winograd(node, source_shape, weights_shape, chosen.bf16)) {
        builder.add(std::move(direct), node.name);
        return true;
    }
    WinogradOperation::Places places;
    places.source = source;
    places.target = target.place;
    places.weights = builder.materializer().pack_winograd(layer, chosen.bf16);
    places.bias = bias;
    if (joined.has_residual()) {
        places.residual = target.copy_from.region == Place::Region::none ? target.place : target.copy_from;
    }
    const WinogradShape sizes = winograd_shape(node, source_shape, target_shape);
    places.scratch = builder.scratch(sizes.scratch_floats() * sizeof(float));
    builder.add(std::make_unique<WinogradOperation>(sizes, places, joined.activation(), chosen.bf16, std::move(direct)),
                node.name);
    return true;
}

}  // namespace lossmap::cpu
