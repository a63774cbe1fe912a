#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/window.hpp"

namespace lossmap::kernels {

enum class PoolKind : std::uint8_t { max, average, lp };

/// Pools over up to three spatial dimensions. Padding never takes part in a maximum; an average divides by the
/// positions inside the input, or with count_include_pad by those within input and padding. Sums in fp64. A global pool
/// is a window over everything.
struct PoolArgs {
    PoolKind kind = PoolKind::max;
    Input in;
    Output out;
    Output indices;  ///< max: i64 flat indices into [samples, channels, spatial..]; null data: not wanted
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t channels = 1;
    WindowGeometry window;
    PlaneStrides in_strides;
    PlaneStrides out_strides;  ///< of `indices`, too
    bool count_include_pad = false;
    bool column_major_indices = false;  ///< storage_order 1
    double order = 2.0;                 ///< lp
};

/// What an output position sees.
struct PoolPatch {
    std::int64_t begin[3], end[3];  ///< clipped to the input
    std::int64_t divisor = 1;       ///< of an average

    LOSSMAP_HD PoolPatch(const PoolArgs& args, const PlaneLoop::Place& place) {
        const WindowGeometry& w = args.window;
        for (int axis = 0; axis < 3; ++axis) {
            const std::int64_t step = w.dilation[axis];
            const std::int64_t start = place.position[axis] * w.stride[axis] - w.pad_begin[axis];
            const std::int64_t stop = start + (w.kernel[axis] - 1) * step + 1;
            const std::int64_t padded = w.input[axis] + w.pad_end[axis];
            begin[axis] = start < 0 ? start + positions(0, -start, step) * step : start;
            end[axis] = stop < w.input[axis] ? stop : w.input[axis];
            divisor *= args.count_include_pad ? positions(start, stop < padded ? stop : padded, step)
                                              : positions(begin[axis], end[axis], step);
        }
    }

    /// Calls visit(offset in the plane's strides, flat position in the plane) for each element.
    template <typename Visit>
    LOSSMAP_HD void for_each(const PoolArgs& args, const Visit& visit) const {
        const WindowGeometry& w = args.window;
        for (std::int64_t d = begin[0]; d < end[0]; d += w.dilation[0]) {
            for (std::int64_t h = begin[1]; h < end[1]; h += w.dilation[1]) {
                for (std::int64_t x = begin[2]; x < end[2]; x += w.dilation[2])
                    visit(spatial_offset(args.in_strides, d, h, x), (d * w.input[1] + h) * w.input[2] + x);
            }
        }
    }

private:
    /// Positions of [from, to) that steps from `from` on hit. Window extents are below 2^31.
    LOSSMAP_HD static std::int64_t positions(std::int64_t from, std::int64_t to, std::int64_t step) {
        return to > from ? static_cast<std::int64_t>(static_cast<std::uint32_t>(to - from + step - 1) /
                                                     static_cast<std::uint32_t>(step))
                         : 0;
    }
};

LOSSMAP_HD inline std::int64_t pool_output(const PoolArgs& args, const PlaneLoop::Place& place) {
    return plane_offset(args.out_strides, place.sample, place.channel) +
           spatial_offset(args.out_strides, place.position[0], place.position[1], place.position[2]);
}

/// Whether `x` takes the place of the largest element so far; NaN does, and stays.
LOSSMAP_HD inline bool pool_replaces(float best, float x, bool is_first) {
    return is_first || (best == best && (x > best || x != x));
}

/// kPackWidth channels a thread: maxima and averages of channels-last planes.
struct PoolPacked {
    PoolArgs args;
    PlaneLoop loop;  ///< channels count packs

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        PlaneLoop::Place place = loop.at(index);
        place.channel *= kPackWidth;
        const PoolPatch patch(args, place);
        const std::int64_t in =
            point * args.in.point_stride + plane_offset(args.in_strides, place.sample, place.channel);
        const bool largest = args.kind == PoolKind::max;
        float best[kPackWidth];
        double sum[kPackWidth];
        LOSSMAP_UNROLL
        for (int k = 0; k < kPackWidth; ++k) {
            best[k] = -HUGE_VALF;
            sum[k] = 0.0;
        }
        bool is_first = true;
        patch.for_each(args, [&](std::int64_t offset, std::int64_t) {
            float values[kPackWidth];
            load_pack(args.in.data, args.in.type, in + offset, values);
            LOSSMAP_UNROLL
            for (int k = 0; k < kPackWidth; ++k) {
                if (largest)
                    best[k] = pool_replaces(best[k], values[k], is_first) ? values[k] : best[k];
                else
                    sum[k] += static_cast<double>(values[k]);
            }
            is_first = false;
        });
        if (!largest) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPackWidth; ++k)
                best[k] = static_cast<float>(sum[k] / static_cast<double>(patch.divisor));
        }
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + pool_output(args, place), best);
    }
};

/// One thread an output element.
struct Pool {
    PoolArgs args;
    PlaneLoop loop;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const PlaneLoop::Place place = loop.at(index);
        const PoolPatch patch(args, place);
        const std::int64_t in =
            point * args.in.point_stride + plane_offset(args.in_strides, place.sample, place.channel);
        const std::int64_t out = pool_output(args, place);
        if (args.kind == PoolKind::max)
            take_largest(point, place, patch, in, out);
        else
            store_float(args.out.data, args.out.type, point * args.out.point_stride + out, summed(patch, in));
    }

private:
    /// NaN in a window gives NaN, an empty window -inf.
    LOSSMAP_HD void take_largest(std::int64_t point, const PlaneLoop::Place& place, const PoolPatch& patch,
                                 std::int64_t in, std::int64_t out) const {
        float best = -HUGE_VALF;
        std::int64_t where = -1;
        patch.for_each(args, [&](std::int64_t offset, std::int64_t flat) {
            const float x = load_float(args.in.data, args.in.type, in + offset);
            if (!pool_replaces(best, x, where < 0)) return;
            best = x;
            where = flat;
        });
        store_float(args.out.data, args.out.type, point * args.out.point_stride + out, best);
        if (args.indices.data != nullptr) {
            const WindowGeometry& w = args.window;
            const std::int64_t plane = w.input[0] * w.input[1] * w.input[2];
            store_int(args.indices.data, args.indices.type, point * args.indices.point_stride + out,
                      (place.sample * args.channels + place.channel) * plane + plane_index(where));
        }
    }

    LOSSMAP_HD std::int64_t plane_index(std::int64_t flat) const {
        if (!args.column_major_indices) return flat;
        const WindowGeometry& w = args.window;
        // A plane has fewer than 2^31 elements.
        const auto width = static_cast<std::int32_t>(w.input[2]);
        const auto height = static_cast<std::int32_t>(w.input[1]);
        const auto at = static_cast<std::int32_t>(flat);
        return at / (width * height) + w.input[0] * (at / width % height + w.input[1] * (at % width));
    }

    LOSSMAP_HD float summed(const PoolPatch& patch, std::int64_t in) const {
        const bool norm = args.kind == PoolKind::lp;
        double sum = 0.0;
        patch.for_each(args, [&](std::int64_t offset, std::int64_t) {
            const double x = static_cast<double>(load_float(args.in.data, args.in.type, in + offset));
            sum += norm ? std::pow(std::fabs(x), args.order) : x;
        });
        return static_cast<float>(norm ? std::pow(sum, 1.0 / args.order) : sum / static_cast<double>(patch.divisor));
    }
};

template <typename Launch>
void launch_pool(const PoolArgs& args, const Launch& launch) {
    if (!is_float_storage(args.in.type) || !is_float_storage(args.out.type))
        refuse("pool", "element type", static_cast<int>(args.in.type));
    const auto& positions = args.window.output;
    const std::int64_t plane = positions[0] * positions[1] * positions[2];
    if (args.kind != PoolKind::lp && args.indices.data == nullptr && has_channel_packs(args.in_strides) &&
        has_channel_packs(args.out_strides) && is_packable(args.in, args.channels) &&
        is_packable(args.out, args.channels)) {
        const std::int64_t packs = args.channels / kPackWidth;
        return launch.items(args.points, args.samples * packs * plane,
                            PoolPacked{args, PlaneLoop(args.samples, packs, positions, true)});
    }
    const PlaneLoop loop(args.samples, args.channels, positions, args.out_strides.channel == 1);
    launch.items(args.points, args.samples * args.channels * plane, Pool{args, loop});
}

}  // namespace lossmap::kernels
