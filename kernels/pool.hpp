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

/// Maxima and averages over windows without holes of channels-last planes of two dimensions: kWidth channels a thread,
/// all indices in 32 bits.
template <int kWidth>
struct PoolPlane {
    /// A spatial dimension.
    struct Axis {
        std::int32_t input, kernel, stride, pad_begin, padded_end;
        std::int32_t in_stride, out_stride;
    };

    PoolArgs args;
    Divisor packs, columns, rows;
    std::int32_t in_sample = 0, out_sample = 0;
    Axis axes[2] = {};

    explicit PoolPlane(const PoolArgs& args_in) : args(args_in) {
        const WindowGeometry& w = args.window;
        const auto divisor = [](std::int64_t value) { return Divisor(static_cast<std::uint32_t>(value)); };
        const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
        packs = divisor(args.channels / kWidth);
        columns = divisor(w.output[2]);
        rows = divisor(w.output[1]);
        in_sample = narrow(args.in_strides.sample);
        out_sample = narrow(args.out_strides.sample);
        for (int k = 0; k < 2; ++k) {
            const int axis = k + 1;
            axes[k] = {narrow(w.input[axis]),
                       narrow(w.kernel[axis]),
                       narrow(w.stride[axis]),
                       narrow(w.pad_begin[axis]),
                       narrow(w.input[axis] + w.pad_end[axis]),
                       narrow(args.in_strides.spatial[axis]),
                       narrow(args.out_strides.spatial[axis])};
        }
    }

    [[nodiscard]] std::int64_t items() const {
        return args.samples * args.window.output[1] * args.window.output[2] * (args.channels / kWidth);
    }

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        auto rest = static_cast<std::uint32_t>(index);
        const int channel = take(packs, rest) * kWidth;
        const int column = take(columns, rest);
        const int row = take(rows, rest);
        const auto sample = static_cast<int>(rest);
        const Range high(axes[0], row);
        const Range wide(axes[1], column);
        const std::int64_t in = point * args.in.point_stride + (sample * in_sample + channel);
        float values[kWidth];
        switch (args.in.type) {
            case DType::f16: pooled<Half>(in, high, wide, values); break;
            case DType::bf16: pooled<BFloat16>(in, high, wide, values); break;
            default: pooled<float>(in, high, wide, values);
        }
        const int out = sample * out_sample + row * axes[0].out_stride + column * axes[1].out_stride + channel;
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + out, values);
    }

private:
    /// What a position of the output sees.
    struct Range {
        int begin, end;  ///< within the input
        int padded;      ///< positions, of padding, too

        LOSSMAP_HD Range(const Axis& axis, int position) {
            const int start = position * axis.stride - axis.pad_begin;
            const int stop = start + axis.kernel;
            begin = start < 0 ? 0 : start;
            end = stop < axis.input ? stop : axis.input;
            padded = (stop < axis.padded_end ? stop : axis.padded_end) - start;
        }
        [[nodiscard]] LOSSMAP_HD int count() const { return end > begin ? end - begin : 0; }
    };

    LOSSMAP_HD static int take(const Divisor& divisor, std::uint32_t& index) {
        const std::uint32_t quotient = divisor.divide(index);
        const std::uint32_t rest = index - quotient * divisor.value;
        index = quotient;
        return static_cast<int>(rest);
    }

    template <typename T>
    LOSSMAP_HD void pooled(std::int64_t in, const Range& high, const Range& wide, float (&values)[kWidth]) const {
        const T* from = static_cast<const T*>(args.in.data) + in;
        if (args.kind == PoolKind::max) {
            LOSSMAP_UNROLL
            for (float& value : values)
                value = -HUGE_VALF;
            for_each(from, high, wide, [&](const float(&seen)[kWidth]) {
                LOSSMAP_UNROLL
                for (int k = 0; k < kWidth; ++k)
                    values[k] = pool_replaces(values[k], seen[k], false) ? seen[k] : values[k];
            });
            return;
        }
        double sums[kWidth] = {};
        for_each(from, high, wide, [&](const float(&seen)[kWidth]) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kWidth; ++k)
                sums[k] += static_cast<double>(seen[k]);
        });
        const int divisor = args.count_include_pad ? high.padded * wide.padded : high.count() * wide.count();
        LOSSMAP_UNROLL
        for (int k = 0; k < kWidth; ++k)
            values[k] = static_cast<float>(sums[k] / static_cast<double>(divisor));
    }

    template <typename T, typename Visit>
    LOSSMAP_HD void for_each(const T* from, const Range& high, const Range& wide, const Visit& visit) const {
        for (int y = high.begin; y < high.end; ++y) {
            for (int x = wide.begin; x < wide.end; ++x) {
                float seen[kWidth];
                load_packs<T, kWidth>(from, y * axes[0].in_stride + x * axes[1].in_stride, seen);
                visit(seen);
            }
        }
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

/// Whether PoolPlane computes it.
inline bool is_pool_plane(const PoolArgs& args) {
    const WindowGeometry& w = args.window;
    const bool flat = w.input[0] == 1 && w.output[0] == 1 && w.kernel[0] == 1 && w.pad_begin[0] == 0;
    return args.kind != PoolKind::lp && args.indices.data == nullptr && flat && w.dilation[1] == 1 &&
           w.dilation[2] == 1 && args.in_strides.channel == 1 && args.out_strides.channel == 1 &&
           is_narrow(args.samples * args.in_strides.sample) && is_narrow(args.samples * args.out_strides.sample);
}

/// Whether pairs of channels can be read and written at once.
inline bool has_channel_pairs(const PoolArgs& args) {
    const auto is_even = [&](const void* data, DType type, std::int64_t point_stride, const PlaneStrides& strides) {
        return reinterpret_cast<std::uintptr_t>(data) % (2 * size_of(type)) == 0 && point_stride % 2 == 0 &&
               strides.sample % 2 == 0 && strides.spatial[1] % 2 == 0 && strides.spatial[2] % 2 == 0;
    };
    return args.channels % 2 == 0 && is_even(args.in.data, args.in.type, args.in.point_stride, args.in_strides) &&
           is_even(args.out.data, args.out.type, args.out.point_stride, args.out_strides);
}

template <typename Launch>
void launch_pool(const PoolArgs& args, const Launch& launch) {
    if (!is_float_storage(args.in.type) || !is_float_storage(args.out.type))
        refuse("pool", "element type", static_cast<int>(args.in.type));
    const auto& positions = args.window.output;
    const std::int64_t plane = positions[0] * positions[1] * positions[2];
    const bool by_packs = has_channel_packs(args.in_strides) && has_channel_packs(args.out_strides) &&
                          is_packable(args.in, args.channels) && is_packable(args.out, args.channels);
    if (is_pool_plane(args)) {
        const auto run = [&](const auto& body) { launch.items(args.points, body.items(), body); };
        if (by_packs) return run(PoolPlane<kPackWidth>(args));
        return has_channel_pairs(args) ? run(PoolPlane<2>(args)) : run(PoolPlane<1>(args));
    }
    if (args.kind != PoolKind::lp && args.indices.data == nullptr && by_packs) {
        const std::int64_t packs = args.channels / kPackWidth;
        return launch.items(args.points, args.samples * packs * plane,
                            PoolPacked{args, PlaneLoop(args.samples, packs, positions, true)});
    }
    const PlaneLoop loop(args.samples, args.channels, positions, args.out_strides.channel == 1);
    launch.items(args.points, args.samples * args.channels * plane, Pool{args, loop});
}

}  // namespace lossmap::kernels
