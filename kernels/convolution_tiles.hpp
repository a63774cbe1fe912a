#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "kernels/convolution.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// How a block of the tiled convolution shares the work: 8 pixels x 8 filters a thread, `filter_groups` threads side by
/// side for the filters, all others for the pixels of some rows of some samples.
struct ConvolutionTileShape {
    static constexpr int kThreads = 256;
    static constexpr int kPixels = 8;   ///< of a thread
    static constexpr int kFilters = 8;  ///< of a thread
    static constexpr int kPatch = 8192;
    static constexpr int kWeights = 3072;

    std::int32_t filter_groups = 1;
    std::int32_t samples = 1;     ///< of a block
    std::int32_t rows = 1;        ///< of the output, of each sample
    std::int32_t channels = 1;    ///< that are in shared memory at once
    std::int32_t input_rows = 1;  ///< that the rows see, padding included
    std::int32_t input_columns = 1;

    [[nodiscard]] LOSSMAP_HD int lanes() const { return kThreads / filter_groups; }
    [[nodiscard]] LOSSMAP_HD std::int64_t filters() const { return std::int64_t{filter_groups} * kFilters; }
    /// Floats of shared memory from one channel of the patch to the next.
    [[nodiscard]] LOSSMAP_HD int plane() const { return samples * input_rows * input_columns; }
};

namespace tiles {

inline std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }
inline std::int64_t seen(std::int64_t outputs, std::int64_t stride, std::int64_t kernel, std::int64_t dilation) {
    return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
}

/// Threads side by side for the filters: as few filters too many as possible, then as many threads as possible.
inline std::int32_t filter_groups_of(std::int64_t filters) {
    const std::int64_t groups = parts(filters, ConvolutionTileShape::kFilters);
    return groups % 4 == 0 ? 4 : groups % 2 == 0 ? 2 : groups == 3 || groups >= 7 ? 4 : 1;
}

/// The shape with so many rows a block, as many samples as fit; nothing where not even one channel fits.
inline std::optional<ConvolutionTileShape> with_rows(const ConvolutionArgs& args, std::int32_t rows) {
    const WindowGeometry& w = args.window;
    ConvolutionTileShape shape;
    shape.filter_groups = filter_groups_of(args.group_filters);
    shape.rows = rows;
    const std::int64_t input_rows = seen(rows, w.stride[1], w.kernel[1], w.dilation[1]);
    const std::int64_t input_columns = seen(w.output[2], w.stride[2], w.kernel[2], w.dilation[2]);
    const std::int64_t pixels = std::int64_t{shape.lanes()} * ConvolutionTileShape::kPixels;
    const std::int64_t taps = w.kernel[1] * w.kernel[2];
    const std::int64_t patch = input_rows * input_columns;
    const std::int64_t weights = ConvolutionTileShape::kWeights / (taps * shape.filters());
    std::int64_t samples = pixels / (rows * w.output[2]);
    samples = samples < ConvolutionTileShape::kPatch / patch ? samples : ConvolutionTileShape::kPatch / patch;
    samples = samples < args.samples ? samples : args.samples;
    if (samples == 0 || weights == 0) return {};
    std::int64_t channels = ConvolutionTileShape::kPatch / (samples * patch);
    channels = channels < weights ? channels : weights;
    // Evenly: the last piece costs what the others do.
    channels = parts(args.group_channels, parts(args.group_channels, channels));
    shape.samples = static_cast<std::int32_t>(samples);
    shape.channels = static_cast<std::int32_t>(channels);
    shape.input_rows = static_cast<std::int32_t>(input_rows);
    shape.input_columns = static_cast<std::int32_t>(input_columns);
    return shape;
}

/// Cycles of a multiprocessor for all blocks of a point, about: 82 instructions a warp, tap and channel, 25 for each
/// element that is put into shared memory, four a cycle.
inline double cycles_of(const ConvolutionArgs& args, const ConvolutionTileShape& shape) {
    const WindowGeometry& w = args.window;
    const std::int64_t blocks = parts(args.samples, shape.samples) * parts(w.output[1], shape.rows) *
                                parts(args.group_filters, shape.filters());
    const std::int64_t pieces = parts(args.group_channels, shape.channels);
    const auto taps = static_cast<double>(w.kernel[1] * w.kernel[2] * args.group_channels);
    const double staged =
        static_cast<double>(pieces * shape.channels * shape.plane()) + taps * static_cast<double>(shape.filters());
    constexpr double kWarps = ConvolutionTileShape::kThreads / 32.0;
    return static_cast<double>(blocks) * (kWarps * 82.0 / 4.0 * taps + 25.0 / 128.0 * staged + 1000.0);
}

/// Whether the arguments are of a kind that the tiled kernel computes.
inline bool is_plain(const ConvolutionArgs& args) {
    const WindowGeometry& w = args.window;
    const bool flat = w.input[0] == 1 && w.output[0] == 1 && w.kernel[0] == 1;
    const bool last = args.in_strides.channel == 1 && args.out_strides.channel == 1;
    const bool compact = args.weight_channel_stride == 1 &&
                         (w.kernel[1] == 1 || args.weight_tap_strides[1] == w.kernel[2] * args.weight_tap_strides[2]);
    return !args.transposed && args.groups == 1 && flat && last && compact && args.overflow.data == nullptr &&
           is_narrow(args.samples * w.output[1]) && args.group_filters > 0 && args.group_channels > 0;
}

}  // namespace tiles

/// The tiles of a convolution, or nothing where it is not computed by tiles: transposed, grouped or of three
/// dimensions, not channels-last, with flags, or with rows or windows that do not fit shared memory.
inline std::optional<ConvolutionTileShape> convolution_tiles_of(const ConvolutionArgs& args) {
    if (!tiles::is_plain(args)) return {};
    std::optional<ConvolutionTileShape> best;
    double least = 0.0;
    for (std::int64_t bands = 1; bands <= args.window.output[1]; ++bands) {
        const auto rows = static_cast<std::int32_t>(tiles::parts(args.window.output[1], bands));
        const auto shape = tiles::with_rows(args, rows);
        if (!shape) continue;
        const double cycles = tiles::cycles_of(args, *shape);
        if (best && cycles >= least) continue;
        best = shape;
        least = cycles;
    }
    return best;
}

/// Convolutions of channels-last planes, groups of 1, of all points in one launch: a block has a patch of the input,
/// zeros around it, and weights of its filters in shared memory, some channels at a time. fp32 accumulation by fused
/// multiply-add from the bias on, over (channel, tap) in order; positions outside the input count as zeros, as
/// libraries have it.
struct ConvolutionTiles {
    using Shape = ConvolutionTileShape;
    static constexpr int kThreads = Shape::kThreads;
    static constexpr int kMinBlocks = 2;
    static constexpr int kPixels = Shape::kPixels;
    static constexpr int kFilters = Shape::kFilters;
    struct Shared {
        alignas(16) float patch[Shape::kPatch];
        alignas(16) float weights[Shape::kWeights];
    };
    struct Thread {
        float sums[kPixels][kFilters] = {};
        std::int32_t from[kPixels] = {};  ///< in the patch, of each pixel's first tap
    };

    ConvolutionArgs args;
    Shape shape;
    int width = 1;  ///< filters that are stored at once
    FastExtent filter_tiles, bands;
    Divisor channels, last_channels;  ///< of a piece, and of the last one
    Divisor input_columns, input_rows, columns, rows, taps;

    ConvolutionTiles(const ConvolutionArgs& args_in, const Shape& shape_in) : args(args_in), shape(shape_in) {
        const WindowGeometry& w = args.window;
        const auto divisor = [](std::int64_t value) { return Divisor(static_cast<std::uint32_t>(value)); };
        filter_tiles = FastExtent(tiles::parts(args.group_filters, shape.filters()), is_narrow(block_count()));
        bands = FastExtent(tiles::parts(w.output[1], shape.rows), is_narrow(block_count()));
        channels = divisor(shape.channels);
        last_channels = divisor(args.group_channels - (pieces() - 1) * shape.channels);
        input_columns = divisor(shape.input_columns);
        input_rows = divisor(shape.input_rows);
        columns = divisor(w.output[2]);
        rows = divisor(shape.rows);
        taps = divisor(w.kernel[1] * w.kernel[2]);
    }

    [[nodiscard]] std::int64_t block_count() const {
        return tiles::parts(args.samples, shape.samples) * tiles::parts(args.window.output[1], shape.rows) *
               tiles::parts(args.group_filters, shape.filters());
    }

    LOSSMAP_HD int phases() const { return 2 * static_cast<int>(pieces()) + 1; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        const Place place = place_of(block);
        if (phase == 0) begin(point, place, thread, state);
        if (phase == phases() - 1) return write(point, place, thread, state);
        const std::int64_t first = phase / 2 * shape.channels;
        const Divisor& count = phase >= phases() - 3 ? last_channels : channels;
        if (phase % 2 == 0) {
            fill_patch(point, place, first, count, thread, shared);
            fill_weights(point, place, first, count, thread, shared);
        } else {
            multiply(static_cast<int>(count.value), thread, shared, state);
        }
    }

private:
    /// What a block computes, by its first ones.
    struct Place {
        std::int64_t filter = 0;
        std::int64_t row = 0;
        std::int64_t sample = 0;
    };

    [[nodiscard]] LOSSMAP_HD std::int64_t pieces() const {
        // Channels are fewer than 2^31.
        return (static_cast<std::int32_t>(args.group_channels) + shape.channels - 1) / shape.channels;
    }
    [[nodiscard]] LOSSMAP_HD Place place_of(std::int64_t block) const {
        Place place;
        place.filter = filter_tiles.take(block) * shape.filters();
        place.row = bands.take(block) * shape.rows;
        place.sample = block * shape.samples;
        return place;
    }
    /// Takes the innermost coordinate off `index`.
    [[nodiscard]] LOSSMAP_HD static int take(const Divisor& divisor, std::uint32_t& index) {
        const std::uint32_t quotient = divisor.divide(index);
        const std::uint32_t rest = index - quotient * divisor.value;
        index = quotient;
        return static_cast<int>(rest);
    }

    struct Pixel {
        int column, row, sample;
    };
    [[nodiscard]] LOSSMAP_HD Pixel pixel_of(int thread, int k) const {
        auto index = static_cast<std::uint32_t>(k * shape.lanes() + thread % shape.lanes());
        Pixel pixel{};
        pixel.column = take(columns, index);
        pixel.row = take(rows, index);
        pixel.sample = static_cast<int>(index);
        return pixel;
    }
    [[nodiscard]] LOSSMAP_HD bool is_inside(const Place& place, const Pixel& pixel) const {
        return pixel.sample < shape.samples && place.sample + pixel.sample < args.samples &&
               place.row + pixel.row < args.window.output[1];
    }
    [[nodiscard]] LOSSMAP_HD std::int64_t first_filter(const Place& place, int thread) const {
        return place.filter + thread / shape.lanes() * kFilters;
    }

    LOSSMAP_HD void begin(std::int64_t point, const Place& place, int thread, Thread& state) const {
        const WindowGeometry& w = args.window;
        LOSSMAP_UNROLL
        for (int k = 0; k < kPixels; ++k) {
            const Pixel pixel = pixel_of(thread, k);
            const int row = pixel.sample * shape.input_rows + pixel.row * static_cast<int>(w.stride[1]);
            const int at = row * shape.input_columns + pixel.column * static_cast<int>(w.stride[2]);
            state.from[k] = pixel.sample < shape.samples ? at : 0;
        }
        const std::int64_t filter = first_filter(place, thread);
        LOSSMAP_UNROLL
        for (int f = 0; f < kFilters; ++f) {
            const bool added = args.bias.data != nullptr && filter + f < args.group_filters;
            const float bias =
                added ? load_float(args.bias.data, args.bias.type, point * args.bias.point_stride + filter + f) : 0.0F;
            LOSSMAP_UNROLL
            for (int k = 0; k < kPixels; ++k)
                state.sums[k][f] = bias;
        }
    }

    LOSSMAP_HD void fill_patch(std::int64_t point, const Place& place, std::int64_t first, const Divisor& count,
                               int thread, Shared& shared) const {
        const WindowGeometry& w = args.window;
        const std::int64_t base = point * args.in.point_stride + place.sample * args.in_strides.sample + first;
        const auto row = static_cast<int>(place.row * w.stride[1] - w.pad_begin[1]);
        const auto column = static_cast<int>(-w.pad_begin[2]);
        const int elements = shape.plane() * static_cast<int>(count.value);
        for (int flat = thread; flat < elements; flat += kThreads) {
            auto index = static_cast<std::uint32_t>(flat);
            const int channel = take(count, index);
            const int to = channel * shape.plane() + static_cast<int>(index);
            const int x = column + take(input_columns, index);
            const int y = row + take(input_rows, index);
            const auto sample = static_cast<int>(index);
            const bool inside =
                x >= 0 && x < w.input[2] && y >= 0 && y < w.input[1] && place.sample + sample < args.samples;
            shared.patch[to] =
                inside ? load_float(args.in.data, args.in.type,
                                    base + sample * args.in_strides.sample + y * args.in_strides.spatial[1] +
                                        x * args.in_strides.spatial[2] + channel)
                       : 0.0F;
        }
    }

    LOSSMAP_HD void fill_weights(std::int64_t point, const Place& place, std::int64_t first, const Divisor& count,
                                 int thread, Shared& shared) const {
        const std::int64_t base = point * args.weight.point_stride + place.filter * args.weight_filter_stride + first;
        const auto filters = static_cast<int>(shape.filters());
        const int elements = static_cast<int>(taps.value * count.value) * filters;
        for (int flat = thread; flat < elements; flat += kThreads) {
            auto index = static_cast<std::uint32_t>(flat);
            const int channel = take(count, index);
            const int tap = take(taps, index);
            const auto filter = static_cast<int>(index);
            const bool inside = place.filter + filter < args.group_filters;
            const int to = (channel * static_cast<int>(taps.value) + tap) * filters + filter;
            shared.weights[to] =
                inside
                    ? load_float(args.weight.data, args.weight.type,
                                 base + filter * args.weight_filter_stride + tap * args.weight_tap_strides[2] + channel)
                    : 0.0F;
        }
    }

    LOSSMAP_HD void multiply(int count, int thread, const Shared& shared, Thread& state) const {
        const WindowGeometry& w = args.window;
        const auto filters = static_cast<int>(shape.filters());
        const auto step = static_cast<int>(w.dilation[2]);
        const int line = static_cast<int>(w.dilation[1]) * shape.input_columns;
        int at = thread / shape.lanes() * kFilters;
        for (int channel = 0; channel < count; ++channel) {
            for (int y = 0; y < static_cast<int>(w.kernel[1]); ++y) {
                int offset = channel * shape.plane() + y * line;
                for (int x = 0; x < static_cast<int>(w.kernel[2]); ++x, offset += step, at += filters) {
                    float weights[kFilters];
                    load_packs<float, kFilters>(shared.weights, at, weights);
                    LOSSMAP_UNROLL
                    for (int k = 0; k < kPixels; ++k) {
                        const float pixel = shared.patch[state.from[k] + offset];
                        LOSSMAP_UNROLL
                        for (int f = 0; f < kFilters; ++f)
                            state.sums[k][f] = std::fma(weights[f], pixel, state.sums[k][f]);
                    }
                }
            }
        }
    }

    LOSSMAP_HD void write(std::int64_t point, const Place& place, int thread, const Thread& state) const {
        const std::int64_t filter = first_filter(place, thread);
        const std::int64_t base = point * args.out.point_stride + filter;
        LOSSMAP_UNROLL
        for (int k = 0; k < kPixels; ++k) {
            const Pixel pixel = pixel_of(thread, k);
            if (!is_inside(place, pixel)) continue;
            const std::int64_t at = base + plane_offset(args.out_strides, place.sample + pixel.sample, 0) +
                                    spatial_offset(args.out_strides, 0, place.row + pixel.row, pixel.column);
            float values[kFilters];
            LOSSMAP_UNROLL
            for (int f = 0; f < kFilters; ++f)
                values[f] = state.sums[k][f];
            apply_to_pack(args.activation, values);
            store_filters(filter, at, values);
        }
    }

    LOSSMAP_HD void store_filters(std::int64_t filter, std::int64_t at, const float (&values)[kFilters]) const {
        if (width == kFilters) {
            if (filter < args.group_filters) store_pack(args.out.data, args.out.type, at, values);
            return;
        }
        LOSSMAP_UNROLL
        for (int f = 0; f < kFilters; f += 2) {
            if (width == 2) {
                const float pair[2] = {values[f], values[f + 1]};
                if (filter + f < args.group_filters) store_pack(args.out.data, args.out.type, at + f, pair);
                continue;
            }
            for (int k = f; k < f + 2; ++k) {
                if (filter + k < args.group_filters) store_float(args.out.data, args.out.type, at + k, values[k]);
            }
        }
    }
};

/// Filters that can be stored at once: 8, 2 or 1.
inline int filters_at_once(const ConvolutionArgs& args) {
    if (is_packable(args.out, args.group_filters) && has_channel_packs(args.out_strides)) return kPackWidth;
    const PlaneStrides& strides = args.out_strides;
    const bool even = args.group_filters % 2 == 0 && args.out.point_stride % 2 == 0 && strides.sample % 2 == 0 &&
                      strides.spatial[1] % 2 == 0 && strides.spatial[2] % 2 == 0 &&
                      reinterpret_cast<std::uintptr_t>(args.out.data) % (2 * size_of(args.out.type)) == 0;
    return even ? 2 : 1;
}

template <typename Launch>
void launch_convolution_tiles(const ConvolutionArgs& args, const Launch& launch) {
    if (!has_packed(args.activation.op))
        refuse("convolution_tiles", "activation", static_cast<int>(args.activation.op));
    for (const DType type : {args.in.type, args.weight.type, args.out.type}) {
        if (!is_float_storage(type)) refuse("convolution_tiles", "element type", static_cast<int>(type));
    }
    const auto shape = convolution_tiles_of(args);
    if (!shape) refuse("convolution_tiles", "filters of no tile", args.group_filters);
    ConvolutionTiles body(args, *shape);
    body.width = filters_at_once(args);
    launch.blocks(args.points, body.block_count(), body);
}

}  // namespace lossmap::kernels
