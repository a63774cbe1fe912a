#include <algorithm>

#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "kernels/stage.hpp"

namespace lossmap::cuda {
namespace {

/// One layer's part of an array that holds all of them.
Located slice_of(const Located& all, std::int64_t layer, const Shape& shape) {
    Located slice = all;
    slice.offset += layer * element_count(shape);
    slice.shape = shape;
    slice.strides = row_major_strides(shape);
    return slice;
}

/// [filters, channels, 3, 3] -> [3, 3, channels / 8, filters, 8]
void pack_layer(ProgramBuilder& builder, const Step& step, const Located& weights, const Located& bias) {
    const JoinedLayer joined(builder, step);
    const Node& node = builder.node(step.node);
    const std::int64_t filters = bias.shape[0];
    const auto norm = joined.fold_norm(filters);
    WeightPack pack;
    pack.source = builder.find(node.inputs[1]);
    if (!pack.source.pristine) pack.source = builder.read(node.inputs[1], {Demand::Form::any, DType::f32});
    const Shape& strides = pack.source.strides;
    pack.extents = pack.valid = weights.shape;
    pack.source_strides = {strides[2], strides[3], 8 * strides[1], strides[0], strides[1]};
    pack.filter_axis = 3;
    if (norm) pack.scale = norm->scale;
    pack.out = weights;
    builder.packer().add(pack);
    const ValueId own = node.has_input(2) ? node.inputs[2] : kNoValue;
    joined.pack_bias_into(bias, {own, 1.0}, norm, filters);
}

}  // namespace

void lower_stage(ProgramBuilder& builder, const Lowering& lowering, const StageChain& chain) {
    const Step& first = lowering.steps[chain.steps.front()];
    const Step& last = lowering.steps[chain.steps.back()];
    const auto layers = static_cast<std::int64_t>(chain.steps.size());
    const std::int64_t channels = chain.channels;
    const Shape weight_shape{3, 3, channels / 8, channels, 8};
    const Located weights = builder.temporary(Phase::theta, DType::f16, {layers * element_count(weight_shape)}, true);
    const Located bias = builder.temporary(Phase::theta, DType::f32, {layers * channels}, true);
    for (std::int64_t layer = 0; layer < layers; ++layer) {
        const Step& step = lowering.steps[chain.steps[static_cast<std::size_t>(layer)]];
        pack_layer(builder, step, slice_of(weights, layer, weight_shape), slice_of(bias, layer, {channels}));
    }
    const Demand pixels{Demand::Form::channels_last, DType::f16, 8};
    const ValueId input = builder.node(first.node).inputs[0];
    const ValueId output = builder.node(last.last_node()).outputs[0];
    auto operation = builder.kernel<kernels::StageArgs>("stage", builder.kernels().stage, builder.options().points);
    kernels::StageArgs& args = operation->args;
    operation->read(args.in, builder.read(input, pixels));
    if (chain.residual != kNoValue) operation->read(args.residual, builder.read(chain.residual, pixels));
    operation->read(args.weights, weights);
    operation->read(args.bias, bias);
    const Located result = builder.write(output, Demand::Form::channels_last);
    operation->write(args.out, result);
    args.samples = builder.options().tile_samples;
    args.channels = chain.channels;
    args.side = chain.side;
    args.tile_images = chain.tile_images;
    args.layers = static_cast<int>(layers);
    std::copy(chain.kinds.begin(), chain.kinds.end(), args.kinds);
    builder.watch(*operation, result);
    builder.add(std::move(operation), Phase::tile);
    builder.count_macs(layers * args.samples * chain.side * chain.side * element_count(weight_shape));
}

}  // namespace lossmap::cuda
