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

/// One thread an output element.
struct Pool {
    PoolArgs args;
    PlaneLoop loop;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const PlaneLoop::Place place = loop.at(index);
        const Patch patch = patch_at(place);
        const std::int64_t in =
            point * args.in.point_stride + plane_offset(args.in_strides, place.sample, place.channel);
        const std::int64_t out =
            plane_offset(args.out_strides, place.sample, place.channel) +
            spatial_offset(args.out_strides, place.position[0], place.position[1], place.position[2]);
        if (args.kind == PoolKind::max)
            take_largest(point, place, patch, in, out);
        else
            store_float(args.out.data, args.out.type, point * args.out.point_stride + out, summed(patch, in));
    }

private:
    /// The window clipped to the input, and how many positions an average divides by.
    struct Patch {
        std::int64_t begin[3], end[3];
        std::int64_t divisor = 1;
    };

    LOSSMAP_HD static std::int64_t positions(std::int64_t from, std::int64_t to, std::int64_t step) {
        return to > from ? (to - from + step - 1) / step : 0;
    }

    LOSSMAP_HD Patch patch_at(const PlaneLoop::Place& place) const {
        const WindowGeometry& w = args.window;
        Patch patch;
        for (int axis = 0; axis < 3; ++axis) {
            const std::int64_t step = w.dilation[axis];
            const std::int64_t start = place.position[axis] * w.stride[axis] - w.pad_begin[axis];
            const std::int64_t stop = start + (w.kernel[axis] - 1) * step + 1;
            const std::int64_t padded = w.input[axis] + w.pad_end[axis];
            patch.begin[axis] = start < 0 ? start + (-start + step - 1) / step * step : start;
            patch.end[axis] = stop < w.input[axis] ? stop : w.input[axis];
            patch.divisor *= args.count_include_pad ? positions(start, stop < padded ? stop : padded, step)
                                                    : positions(patch.begin[axis], patch.end[axis], step);
        }
        return patch;
    }

    /// Calls visit(offset in the plane's strides, flat position in the plane) for each element of the patch.
    template <typename Visit>
    LOSSMAP_HD void for_each(const Patch& patch, const Visit& visit) const {
        const WindowGeometry& w = args.window;
        for (std::int64_t d = patch.begin[0]; d < patch.end[0]; d += w.dilation[0]) {
            for (std::int64_t h = patch.begin[1]; h < patch.end[1]; h += w.dilation[1]) {
                for (std::int64_t x = patch.begin[2]; x < patch.end[2]; x += w.dilation[2])
                    visit(spatial_offset(args.in_strides, d, h, x), (d * w.input[1] + h) * w.input[2] + x);
            }
        }
    }

    /// NaN in a window gives NaN, an empty window -inf.
    LOSSMAP_HD void take_largest(std::int64_t point, const PlaneLoop::Place& place, const Patch& patch, std::int64_t in,
                                 std::int64_t out) const {
        float best = -HUGE_VALF;
        std::int64_t where = -1;
        for_each(patch, [&](std::int64_t offset, std::int64_t flat) {
            const float x = load_float(args.in.data, args.in.type, in + offset);
            if (where >= 0 && (best != best || !(x > best || x != x))) return;
            best = x;
            where = flat;
        });
        store_float(args.out.data, args.out.type, point * args.out.point_stride + out, best);
        if (args.indices.data == nullptr) return;
        const WindowGeometry& w = args.window;
        const std::int64_t plane = w.input[0] * w.input[1] * w.input[2];
        if (args.column_major_indices) {
            const std::int64_t x = where % w.input[2];
            const std::int64_t h = where / w.input[2] % w.input[1];
            const std::int64_t d = where / (w.input[2] * w.input[1]);
            where = d + w.input[0] * (h + w.input[1] * x);
        }
        store_int(args.indices.data, args.indices.type, point * args.indices.point_stride + out,
                  (place.sample * args.channels + place.channel) * plane + where);
    }

    LOSSMAP_HD float summed(const Patch& patch, std::int64_t in) const {
        const bool norm = args.kind == PoolKind::lp;
        double sum = 0.0;
        for_each(patch, [&](std::int64_t offset, std::int64_t) {
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
    const PlaneLoop loop(args.samples, args.channels, positions, args.out_strides.channel == 1);
    launch.items(args.points, args.samples * args.channels * positions[0] * positions[1] * positions[2],
                 Pool{args, loop});
}

}  // namespace lossmap::kernels
