#include "cuda/backend/tiled_convolution.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

/// Ways that the model holds for slower by more than this are not measured; where nothing is measured, the kernel has
/// to be faster by as much as the model may err.
constexpr double kMostSlower = 2.0;
constexpr double kLikely = 0.7;
/// Of an H100, under load.
constexpr double kCyclesASecond = 1.75e9;
/// Of the kernel that a multiprocessor holds.
constexpr std::int64_t kResidentBlocks = 2;
/// Images that blocks are made for when an image's share is asked.
constexpr std::int64_t kManyImages = 64;

/// Multiply-adds a second of a library's convolutions, layer by layer, measured with ResNet-56 (docs/gpu.md).
double library_macs_a_second(const ConvolutionProblem& problem) {
    if (problem.type != DType::f32) return 5e13;
    return problem.precision == Precision::tf32 ? 2.4e13 : 6.5e12;
}

kernels::ConvolutionArgs args_of(const ConvolutionProblem& problem) {
    kernels::ConvolutionArgs args;
    args.samples = problem.images;
    args.groups = problem.groups;
    args.group_channels = problem.channels / problem.groups;
    args.group_filters = problem.out_channels / problem.groups;
    kernels::WindowGeometry& w = args.window;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        w.input[axis] = problem.input[axis];
        w.output[axis] = problem.output[axis];
        w.kernel[axis] = problem.kernel[axis];
        w.stride[axis] = problem.stride[axis];
        w.dilation[axis] = problem.dilation[axis];
        w.pad_begin[axis] = problem.pad_begin[axis];
        w.pad_end[axis] = problem.pad_end[axis];
    }
    args.in_strides = kernels::channels_last(problem.channels, w.input);
    args.pooled = problem.pooled;
    std::int64_t left[3] = {w.output[0], w.output[1], w.output[2]};
    if (problem.pooled) {
        left[1] /= 2;
        left[2] /= 2;
    }
    args.out_strides = kernels::channels_last(problem.out_channels, left);
    args.weight_channel_stride = 1;
    args.weight_tap_strides[2] = args.group_channels;
    args.weight_tap_strides[1] = args.weight_tap_strides[2] * w.kernel[2];
    args.weight_tap_strides[0] = args.weight_tap_strides[1] * w.kernel[1];
    args.weight_filter_stride = args.weight_tap_strides[0] * w.kernel[0];
    args.weight_group_stride = args.weight_filter_stride * args.group_filters;
    args.in.type = args.weight.type = args.out.type = problem.type;
    args.bias.type = DType::f32;
    args.in.point_stride = problem.stride_images;
    args.weight.point_stride = problem.stride_weights;
    args.bias.point_stride = problem.stride_bias;
    args.out.point_stride = problem.pooled ? problem.stride_pooled : problem.stride_result;
    return args;
}

JoinedWork joined_work(const ConvolutionProblem& problem) {
    return {problem.bias, false, problem.relu && !problem.residual};
}

class TiledPlan final : public ConvolutionPlan {
public:
    TiledPlan(const ConvolutionProblem& problem, const kernels::KernelTable& table)
        : joined_(joined_work(problem)), args_(args_of(problem)), launch_(table.convolution_tiles) {
        if (joined_.activation) args_.activation.op = kernels::UnaryOp::relu;
    }
    [[nodiscard]] JoinedWork joined() const override { return joined_; }
    [[nodiscard]] std::size_t workspace_bytes() const override { return 0; }
    [[nodiscard]] std::string implementation() const override { return std::string("kernel ") + kTiledFamily; }
    [[nodiscard]] std::vector<std::byte> serialized() const override { return {}; }
    [[nodiscard]] bool covers_points() const override { return true; }
    [[nodiscard]] bool pools() const override { return args_.pooled; }
    void run(const ConvolutionOperands& operands, void* stream) const override {
        kernels::ConvolutionArgs args = args_;
        args.points = operands.points;
        args.in.data = operands.images;
        args.weight.data = operands.weights;
        if (joined_.bias) args.bias.data = operands.bias;
        args.out.data = operands.result;
        launch_(args, kernels::Queue{stream});
    }

private:
    JoinedWork joined_;
    kernels::ConvolutionArgs args_;
    void (*launch_)(const kernels::ConvolutionArgs&, kernels::Queue);
};

}  // namespace

std::optional<ConvolutionTimes> convolution_times(const ConvolutionProblem& problem, const DeviceFacts& facts) {
    if (!facts.tiles_convolutions) return {};
    kernels::ConvolutionArgs args = args_of(problem);
    args.samples = kManyImages;
    const auto blocks = kernels::convolution_blocks_of(args);
    if (!blocks) return {};
    double macs = static_cast<double>(problem.channels * problem.out_channels);
    for (std::size_t axis = 0; axis < 3; ++axis)
        macs *= static_cast<double>(problem.kernel[axis] * problem.output[axis]);
    ConvolutionTimes times;
    times.library = macs / library_macs_a_second(problem);
    times.group_samples = blocks->samples;
    times.group_blocks = blocks->blocks / kernels::tiles::parts(kManyImages, blocks->samples);
    times.resident_blocks = kResidentBlocks * facts.multiprocessors;
    times.round = static_cast<double>(kResidentBlocks) * blocks->block_cycles / kCyclesASecond;
    if (problem.pooled) {
        times.spared_bytes = 2 * problem.out_channels * args.window.output[1] * args.window.output[2] *
                             static_cast<std::int64_t>(size_of(problem.type));
        times.spared_launches = 1;
    }
    return times;
}

std::optional<LibraryWay> tiled_way(const ConvolutionProblem& problem, const DeviceFacts& facts) {
    const auto times = convolution_times(problem, facts);
    if (!times) return {};
    const auto images = static_cast<double>(problem.images);
    if (images * times->tiles() > kMostSlower * (kConvolutionSeconds + images * times->library)) return {};
    return LibraryWay{kTiledFamily, kTiledFamily, joined_work(problem), true};
}

bool tiles_are_likely(const ConvolutionProblem& problem, const DeviceFacts& facts) {
    const auto times = convolution_times(problem, facts);
    const auto images = static_cast<double>(problem.images);
    return times && images * times->tiles() < kLikely * (kConvolutionSeconds + images * times->library);
}

bool tiles_pool(const ConvolutionProblem& problem, const DeviceFacts& facts) {
    ConvolutionProblem pooled = problem;
    pooled.pooled = true;
    return !problem.residual && convolution_times(pooled, facts).has_value();
}

std::unique_ptr<ConvolutionPlan> make_tiled_plan(const ConvolutionProblem& problem, const kernels::KernelTable& table) {
    return std::make_unique<TiledPlan>(problem, table);
}

}  // namespace lossmap::cuda
