#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"
#include "kernels/window.hpp"

namespace lossmap::kernels {

/// Direct convolution, or its transpose, in any layout, with any groups and dilation: for depthwise layers and where no
/// library has an engine. fp32 accumulation by fused multiply-add over (tap, channel) in order.
///
/// Weight element (filter f, channel c within its group, tap k) is at f * weight_filter_stride + c *
/// weight_channel_stride + sum_axis k[axis] * weight_tap_strides[axis]; for a transposed convolution the window is that
/// of the output seen from the input (as ConvTranspose states it) and filters count outputs.
struct ConvolutionArgs {
    bool transposed = false;
    Input in;
    Input weight;
    Input bias;  ///< [filters]; null data: none
    Output out;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t groups = 1;
    std::int64_t group_channels = 1;  ///< input channels of one group
    std::int64_t group_filters = 1;   ///< output channels of one group
    WindowGeometry window;
    PlaneStrides in_strides;
    PlaneStrides out_strides;
    std::int64_t weight_group_stride = 0;
    std::int64_t weight_filter_stride = 0;  ///< within a group
    std::int64_t weight_channel_stride = 0;
    std::int64_t weight_tap_strides[3] = {0, 0, 1};
    UnaryFunction activation;
    /// convolution_tiles alone: `out` gets the maximum of every 2 x 2 positions, NaN where one of them is; the last row
    /// or column of an odd plane is in none.
    bool pooled = false;
    OverflowFlags overflow;  ///< elements_per_sample: 0, or anything else for a flag a sample
};

/// Input position that tap `tap` of an output position reads, -1 for none.
LOSSMAP_HD inline std::int64_t tap_source(const ConvolutionArgs& args, int axis, std::int64_t position,
                                          std::int64_t tap) {
    const WindowGeometry& w = args.window;
    std::int64_t at;
    if (args.transposed) {
        const std::int64_t scaled = position + w.pad_begin[axis] - tap * w.dilation[axis];
        const auto stride = static_cast<std::int32_t>(w.stride[axis]);
        if (scaled < 0 || static_cast<std::int32_t>(scaled) % stride != 0) return -1;
        at = static_cast<std::int32_t>(scaled) / stride;
    } else {
        at = position * w.stride[axis] - w.pad_begin[axis] + tap * w.dilation[axis];
    }
    return at >= 0 && at < w.input[axis] ? at : -1;
}

/// Calls visit(offset in the input plane, offset in the weights) for each tap that meets the input.
template <typename Visit>
LOSSMAP_HD inline void for_each_tap(const ConvolutionArgs& args, const PlaneLoop::Place& place, const Visit& visit) {
    const WindowGeometry& w = args.window;
    for (std::int64_t d = 0; d < w.kernel[0]; ++d) {
        const std::int64_t at_d = tap_source(args, 0, place.position[0], d);
        if (at_d < 0) continue;
        for (std::int64_t h = 0; h < w.kernel[1]; ++h) {
            const std::int64_t at_h = tap_source(args, 1, place.position[1], h);
            if (at_h < 0) continue;
            for (std::int64_t x = 0; x < w.kernel[2]; ++x) {
                const std::int64_t at_x = tap_source(args, 2, place.position[2], x);
                if (at_x < 0) continue;
                visit(spatial_offset(args.in_strides, at_d, at_h, at_x),
                      d * args.weight_tap_strides[0] + h * args.weight_tap_strides[1] + x * args.weight_tap_strides[2]);
            }
        }
    }
}

LOSSMAP_HD inline std::int64_t convolution_output(const ConvolutionArgs& args, const PlaneLoop::Place& place) {
    return plane_offset(args.out_strides, place.sample, place.channel) +
           spatial_offset(args.out_strides, place.position[0], place.position[1], place.position[2]);
}

/// kPackWidth channels a thread: depthwise convolutions of channels-last planes whose weights lie by taps, [taps,
/// channels].
struct DepthwisePacked {
    ConvolutionArgs args;
    PlaneLoop loop;  ///< channels count packs

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        PlaneLoop::Place place = loop.at(index);
        place.channel *= kPackWidth;
        const std::int64_t in =
            point * args.in.point_stride + plane_offset(args.in_strides, place.sample, place.channel);
        const std::int64_t weight = point * args.weight.point_stride + place.channel;
        float sum[kPackWidth] = {};
        if (args.bias.data != nullptr)
            load_pack(args.bias.data, args.bias.type, point * args.bias.point_stride + place.channel, sum);
        for_each_tap(args, place, [&](std::int64_t in_offset, std::int64_t weight_offset) {
            float x[kPackWidth], w[kPackWidth];
            load_pack(args.in.data, args.in.type, in + in_offset, x);
            load_pack(args.weight.data, args.weight.type, weight + weight_offset, w);
            LOSSMAP_UNROLL
            for (int k = 0; k < kPackWidth; ++k)
                sum[k] = std::fma(w[k], x[k], sum[k]);
        });
        LOSSMAP_UNROLL
        for (int k = 0; k < kPackWidth; ++k)
            flag_overflow(args.overflow, args.out.type, point, place.sample * args.overflow.elements_per_sample,
                          sum[k]);
        apply_to_pack(args.activation, sum);
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + convolution_output(args, place), sum);
    }
};

/// One thread an output element.
struct Convolution {
    ConvolutionArgs args;
    PlaneLoop loop;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const PlaneLoop::Place place = loop.at(index);
        const std::int64_t group = static_cast<std::int64_t>(static_cast<std::uint32_t>(place.channel) /
                                                             static_cast<std::uint32_t>(args.group_filters));
        const std::int64_t filter = place.channel - group * args.group_filters;
        const std::int64_t in =
            point * args.in.point_stride + plane_offset(args.in_strides, place.sample, group * args.group_channels);
        const std::int64_t weight =
            point * args.weight.point_stride + group * args.weight_group_stride + filter * args.weight_filter_stride;
        float sum = args.bias.data == nullptr
                        ? 0.0F
                        : load_float(args.bias.data, args.bias.type, point * args.bias.point_stride + place.channel);
        for_each_tap(args, place, [&](std::int64_t in_offset, std::int64_t weight_offset) {
            sum = add_channels(sum, in + in_offset, weight + weight_offset);
        });
        flag_overflow(args.overflow, args.out.type, point, place.sample * args.overflow.elements_per_sample, sum);
        store_float(args.out.data, args.out.type, point * args.out.point_stride + convolution_output(args, place),
                    apply_activation(args.activation, sum));
    }

private:
    LOSSMAP_HD float add_channels(float sum, std::int64_t in, std::int64_t weight) const {
        for (std::int64_t c = 0; c < args.group_channels; ++c) {
            sum = std::fma(load_float(args.weight.data, args.weight.type, weight + c * args.weight_channel_stride),
                           load_float(args.in.data, args.in.type, in + c * args.in_strides.channel), sum);
        }
        return sum;
    }
};

inline bool is_packed_depthwise(const ConvolutionArgs& args) {
    bool fits = args.group_channels == 1 && args.group_filters == 1 && args.weight_group_stride == 1 &&
                has_packed(args.activation.op) && has_channel_packs(args.in_strides) &&
                has_channel_packs(args.out_strides) && is_packable(args.in, args.groups) &&
                is_packable(args.out, args.groups) && is_packable(args.weight, args.groups) &&
                (args.bias.data == nullptr || is_packable(args.bias, args.groups));
    for (const std::int64_t stride : args.weight_tap_strides)
        fits = fits && stride % kPackWidth == 0;
    return fits;
}

template <typename Launch>
void launch_convolution(const ConvolutionArgs& args, const Launch& launch) {
    if (is_trigonometric(args.activation.op)) refuse("convolution", "activation", static_cast<int>(args.activation.op));
    if (!is_float_storage(args.in.type) || !is_float_storage(args.weight.type) || !is_float_storage(args.out.type))
        refuse("convolution", "element type", static_cast<int>(args.in.type));
    if (args.pooled) refuse("convolution", "pooled", 1);
    const std::int64_t filters = args.groups * args.group_filters;
    const auto& positions = args.window.output;
    const std::int64_t plane = positions[0] * positions[1] * positions[2];
    if (is_packed_depthwise(args)) {
        const std::int64_t packs = filters / kPackWidth;
        return launch.items(args.points, args.samples * packs * plane,
                            DepthwisePacked{args, PlaneLoop(args.samples, packs, positions, true)});
    }
    const PlaneLoop loop(args.samples, filters, positions, args.out_strides.channel == 1);
    launch.items(args.points, args.samples * filters * plane, Convolution{args, loop});
}

}  // namespace lossmap::kernels
