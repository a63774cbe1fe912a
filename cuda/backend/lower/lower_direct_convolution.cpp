#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/windows.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::cuda {
namespace {

/// Strides of weights [out, in / groups, taps ..], or, transposed, [in, out / groups, taps ..].
void set_weight_strides(kernels::ConvolutionArgs& args, const Located& weights) {
    const std::int64_t first = weights.strides[0];
    const std::int64_t second = weights.strides[1];
    args.weight_filter_stride = args.transposed ? second : first;
    args.weight_channel_stride = args.transposed ? first : second;
    args.weight_group_stride = args.transposed ? args.group_channels * first : args.group_filters * first;
    const std::size_t spatial = weights.shape.size() - 2;
    for (std::size_t k = 0; k < 3; ++k)
        args.weight_tap_strides[k] = 0;
    for (std::size_t k = 0; k < spatial; ++k)
        args.weight_tap_strides[3 - spatial + k] = weights.strides[2 + k];
}

}  // namespace

bool lower_direct_convolution(ProgramBuilder& builder, const Node& node) {
    const bool transposed = node.op_type == "ConvTranspose";
    if (!node.domain.empty() || (!transposed && node.op_type != "Conv")) return false;
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::any, {}});
    if (in.shape.size() < 3 || in.shape.size() > 5)
        throw UnsupportedError("an input of {} dimensions is not supported on the GPU", in.shape.size());
    const Located weights = builder.read(node.inputs[1], {Demand::Form::any, {}});
    const std::span<const std::int64_t> taps = std::span(weights.shape).subspan(2);
    const ops::Window window =
        transposed ? ops::transposed_window(node, in.shape, taps) : ops::forward_window(node, in.shape, taps);
    const std::int64_t groups = node.attributes.get_int("group", 1);
    auto operation = builder.kernel<kernels::ConvolutionArgs>("convolution", builder.kernels().convolution,
                                                              builder.points_of(output));
    kernels::ConvolutionArgs& args = operation->args;
    args.transposed = transposed;
    args.samples = in.shape[0];
    args.groups = groups;
    args.group_channels = in.shape[1] / groups;
    args.group_filters = builder.shape(output)[1] / groups;
    args.window = geometry_of(window);
    const bool last = in.strides[1] == 1 && !in.is_dense();
    const Located out = builder.write(output, last ? Demand::Form::channels_last : Demand::Form::dense);
    args.in_strides = plane_strides(in);
    args.out_strides = plane_strides(out);
    set_weight_strides(args, weights);
    operation->read(args.in, in);
    operation->read(args.weight, weights);
    if (node.has_input(2)) operation->read(args.bias, builder.read(node.inputs[2], {Demand::Form::dense, {}}));
    operation->write(args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
    if (builder.phase_of(output) == Phase::tile) {
        const std::int64_t positions = ops::Window::count(transposed ? window.input : window.output);
        builder.count_macs(in.shape[0] * positions * element_count(weights.shape));
    }
    return true;
}

}  // namespace lossmap::cuda
