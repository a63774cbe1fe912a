#include <algorithm>

#include "graph/ops/families.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::ops {
namespace {

/// Checks kernel_shape, when given, against the weight, and returns the weight's spatial extents.
std::span<const std::int64_t> kernel_of(const Node& node, const Shape& weight) {
    require(weight.size() >= 2, "weight has shape {}", to_string(weight));
    const std::span<const std::int64_t> kernel(weight.begin() + 2, weight.end());
    const Ints stated = node.attributes.get_ints("kernel_shape", Ints(kernel.begin(), kernel.end()));
    require(std::ranges::equal(stated, kernel), "kernel_shape is {}, the weight has shape {}", to_string(stated),
            to_string(weight));
    return kernel;
}

std::int64_t group_count(const Node& node) {
    const std::int64_t groups = node.attributes.get_int("group", 1);
    require(groups > 0, "group is {}", groups);
    return groups;
}

void check_bias(const InferenceContext& context, std::int64_t channels) {
    if (!context.node.has_input(2)) return;
    require(context.input(2).shape == Shape{channels}, "bias has shape {}, expected [{}]",
            to_string(context.input(2).shape), channels);
}

Types infer_conv(const InferenceContext& context) {
    require_float(context);
    require_same_dtype(context, context.inputs.size());
    const Shape& input = context.input(0).shape;
    const Shape& weight = context.input(1).shape;
    const Window w = forward_window(context.node, input, kernel_of(context.node, weight));
    const std::int64_t groups = group_count(context.node);
    require(input[1] % groups == 0 && input[1] / groups == weight[1], "input has {} channels, weight expects {}",
            input[1], element_count(Shape{weight[1], groups}));
    require(weight[0] % groups == 0, "{} output channels do not divide into {} groups", weight[0], groups);
    check_bias(context, weight[0]);
    return {{context.input(0).dtype, window_output_shape(w, input[0], weight[0])}};
}

Types infer_conv_transpose(const InferenceContext& context) {
    require_float(context);
    require_same_dtype(context, context.inputs.size());
    const Shape& input = context.input(0).shape;
    const Shape& weight = context.input(1).shape;
    const Window w = transposed_window(context.node, input, kernel_of(context.node, weight));
    const std::int64_t groups = group_count(context.node);
    require(input[1] == weight[0] && input[1] % groups == 0, "input has {} channels, weight expects {}", input[1],
            weight[0]);
    const std::int64_t channels = element_count(Shape{weight[1], groups});
    check_bias(context, channels);
    return {{context.input(0).dtype, window_output_shape(w, input[0], channels)}};
}

/// Positions o of the coarse side for which o * stride + offset lies in [0, fine): a half-open interval.
struct Interval {
    std::int64_t begin;
    std::int64_t end;
};
Interval valid_positions(std::int64_t coarse, std::int64_t fine, std::int64_t stride, std::int64_t offset) {
    const std::int64_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    const std::int64_t end = offset >= fine ? 0 : (fine - 1 - offset) / stride + 1;
    return {std::min(begin, coarse), std::min(end, coarse)};
}

/// Calls row(coarse index, fine index, length) for every pair of rows that a kernel tap connects: `coarse` is a
/// convolution's output (a transposed one's input), `fine` the other side. Within a row the fine index moves by
/// stride[2].
template <typename Row>
void for_each_tap_row(const Window& w, const Window::Extents& coarse, const Window::Extents& fine,
                      const Window::Extents& tap, Row&& row) {
    Window::Extents offset;
    std::array<Interval, 3> range{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
        offset[axis] = tap[axis] * w.dilation[axis] - w.pad_begin[axis];
        range[axis] = valid_positions(coarse[axis], fine[axis], w.stride[axis], offset[axis]);
    }
    const std::int64_t length = range[2].end - range[2].begin;
    if (length <= 0) return;
    for (std::int64_t d = range[0].begin; d < range[0].end; ++d) {
        for (std::int64_t h = range[1].begin; h < range[1].end; ++h) {
            const std::int64_t fine_row = (d * w.stride[0] + offset[0]) * fine[1] + h * w.stride[1] + offset[1];
            row((d * coarse[1] + h) * coarse[2] + range[2].begin,
                fine_row * fine[2] + range[2].begin * w.stride[2] + offset[2], length);
        }
    }
}

template <typename Body>
void for_each_tap(const Window& w, Body&& body) {
    for (std::int64_t d = 0; d < w.kernel[0]; ++d) {
        for (std::int64_t h = 0; h < w.kernel[1]; ++h) {
            for (std::int64_t x = 0; x < w.kernel[2]; ++x)
                body(Window::Extents{d, h, x});
        }
    }
}

template <typename T>
void start_plane(T* plane, std::int64_t size, const T* bias, std::int64_t channel) {
    std::fill_n(plane, size, bias == nullptr ? T{0} : bias[channel]);
}

/// One plane of the output gathers every tap of one plane of the input.
template <typename T>
void convolve_plane(const Window& w, const T* input, const T* taps, T* output) {
    for_each_tap(w, [&](const Window::Extents& tap) {
        const T weight = *taps++;
        for_each_tap_row(w, w.output, w.input, tap, [&](std::int64_t out, std::int64_t in, std::int64_t length) {
            const T* from = input + in;
            T* to = output + out;
            if (w.stride[2] == 1) {
                for (std::int64_t i = 0; i < length; ++i)
                    to[i] += weight * from[i];
            } else {
                for (std::int64_t i = 0; i < length; ++i)
                    to[i] += weight * from[i * w.stride[2]];
            }
        });
    });
}

/// One plane of the input scatters through every tap into one plane of the output.
template <typename T>
void scatter_plane(const Window& w, const T* input, const T* taps, T* output) {
    for_each_tap(w, [&](const Window::Extents& tap) {
        const T weight = *taps++;
        for_each_tap_row(w, w.input, w.output, tap, [&](std::int64_t in, std::int64_t out, std::int64_t length) {
            for (std::int64_t i = 0; i < length; ++i)
                output[out + i * w.stride[2]] += weight * input[in + i];
        });
    });
}

/// Calls accumulate(input plane, weight plane, output plane) for every pair of channels of a group, over outputs that
/// hold the bias. Channels and filters are counted within a group; `transposed` weights have the channel in front.
struct GroupedPlanes {
    Window window;
    std::int64_t groups, channels, filters;
    bool transposed;

    template <typename Accumulate>
    void run(const Node& node, Inputs inputs, Outputs outputs, Accumulate&& accumulate) const {
        const std::int64_t batch = inputs[0].shape[0];
        const std::int64_t in_plane = Window::count(window.input);
        const std::int64_t out_plane = Window::count(window.output);
        const std::int64_t taps = Window::count(window.kernel);
        visit_float(inputs[0].dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T* bias = node.has_input(2) ? raw<T>(inputs[2]) : nullptr;
            T* output = raw<T>(outputs[0]);
            for (std::int64_t n = 0; n < batch; ++n) {
                for (std::int64_t filter = 0; filter < filters * groups; ++filter, output += out_plane) {
                    start_plane(output, out_plane, bias, filter);
                    for (std::int64_t c = 0; c < channels; ++c) {
                        const std::int64_t channel = filter / filters * channels + c;
                        const std::int64_t weight =
                            transposed ? channel * filters + filter % filters : filter * channels + c;
                        accumulate(raw<T>(inputs[0]) + (n * channels * groups + channel) * in_plane,
                                   raw<T>(inputs[1]) + weight * taps, output);
                    }
                }
            }
        });
    }
};

void run_conv(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& weight = inputs[1].shape;
    const Window w = forward_window(node, inputs[0].shape, kernel_of(node, weight));
    const std::int64_t groups = group_count(node);
    const GroupedPlanes planes{w, groups, weight[1], weight[0] / groups, false};
    planes.run(node, inputs, outputs,
               [&](const auto* in, const auto* taps, auto* out) { convolve_plane(w, in, taps, out); });
}

void run_conv_transpose(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& weight = inputs[1].shape;
    const Window w = transposed_window(node, inputs[0].shape, kernel_of(node, weight));
    const std::int64_t groups = group_count(node);
    const GroupedPlanes planes{w, groups, weight[0] / groups, weight[1], true};
    planes.run(node, inputs, outputs,
               [&](const auto* in, const auto* taps, auto* out) { scatter_plane(w, in, taps, out); });
}

}  // namespace

Family convolution_operators() {
    return {
        {.name = "Conv",
         .domain = "",
         .min_inputs = 2,
         .max_inputs = 3,
         .infer = infer_conv,
         .run = run_conv,
         .note = "1 to 3 spatial dimensions"},
        {.name = "ConvTranspose",
         .domain = "",
         .min_inputs = 2,
         .max_inputs = 3,
         .infer = infer_conv_transpose,
         .run = run_conv_transpose,
         .note = "1 to 3 spatial dimensions"},
    };
}

}  // namespace lossmap::ops
