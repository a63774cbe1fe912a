#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "kernels/convolution.hpp"
#include "kernels/convolution_block.hpp"
#include "kernels/convolution_windows.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// How a block of ConvolutionTiles shares the work: 8 pixels x 8 filters a thread, `filter_groups` threads side by
/// side for the filters, all others for the pixels of some rows of some samples.
struct ConvolutionTileShape {
    static constexpr int kPixels = 8;   ///< of a thread
    static constexpr int kFilters = 8;  ///< of a thread

    std::int32_t filter_groups = 1;
    std::int32_t rows = 1;      ///< of the output, of each sample
    std::int32_t channels = 1;  ///< that are in shared memory at once
    ConvolutionPatch patch;

    [[nodiscard]] LOSSMAP_HD int lanes() const { return ConvolutionBlock::kThreads / filter_groups; }
    [[nodiscard]] LOSSMAP_HD int filters() const { return filter_groups * kFilters; }
};

namespace tiles {

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
    const std::int64_t weights = ConvolutionBlock::kWeights / (taps * shape.filters());
    std::int64_t samples = pixels / (rows * w.output[2]);
    samples = samples < ConvolutionBlock::kPatch / patch ? samples : ConvolutionBlock::kPatch / patch;
    samples = samples < args.samples ? samples : args.samples;
    if (samples == 0 || weights == 0) return {};
    std::int64_t channels = ConvolutionBlock::kPatch / (samples * patch);
    channels = channels < weights ? channels : weights;
    // Evenly: the last piece costs what the others do.
    channels = parts(args.group_channels, parts(args.group_channels, channels));
    shape.channels = static_cast<std::int32_t>(channels);
    shape.patch = {static_cast<std::int32_t>(samples), static_cast<std::int32_t>(input_rows),
                   static_cast<std::int32_t>(input_columns), static_cast<std::int32_t>(input_columns),
                   static_cast<std::int32_t>(patch)};
    return shape;
}

inline std::int64_t blocks_of(const ConvolutionArgs& args, const ConvolutionTileShape& shape) {
    return parts(args.samples, shape.patch.samples) * parts(args.window.output[1], shape.rows) *
           parts(args.group_filters, shape.filters());
}

/// Cycles of a multiprocessor for a block that shares it with another one, about: 96 instructions a warp, tap and
/// channel, of which four start a cycle, and half as much again for banks that are met twice; 30 for each element that
/// is put into shared memory.
inline double block_cycles(const ConvolutionArgs& args, const ConvolutionTileShape& shape) {
    const WindowGeometry& w = args.window;
    const std::int64_t pieces = parts(args.group_channels, shape.channels);
    const auto taps = static_cast<double>(w.kernel[1] * w.kernel[2] * args.group_channels);
    const std::int64_t line = parts(shape.patch.columns * shape.channels, 32) * 32;
    const auto staged = static_cast<double>(pieces * line * shape.patch.samples * shape.patch.rows) +
                        taps * static_cast<double>(shape.filters());
    return ConvolutionBlock::kWarps * 1.5 * 96.0 / 4.0 * taps + 30.0 / 128.0 * staged + 1000.0;
}

}  // namespace tiles

/// The tiles of a convolution, or nothing where it is not computed by tiles: transposed, grouped or of three
/// dimensions, not channels-last, with flags, or with rows or windows that do not fit shared memory.
inline std::optional<ConvolutionTileShape> convolution_tiles_of(const ConvolutionArgs& args) {
    if (!tiles::is_plain(args) || args.pooled) return {};
    std::optional<ConvolutionTileShape> best;
    double least = 0.0;
    for (std::int64_t bands = 1; bands <= args.window.output[1]; ++bands) {
        const auto rows = static_cast<std::int32_t>(tiles::parts(args.window.output[1], bands));
        const auto shape = tiles::with_rows(args, rows);
        if (!shape) continue;
        const double cycles = static_cast<double>(tiles::blocks_of(args, *shape)) * tiles::block_cycles(args, *shape);
        if (best && cycles >= least) continue;
        best = shape;
        least = cycles;
    }
    return best;
}

/// What a launch of `convolution_tiles` consists of.
struct ConvolutionBlocks {
    std::int64_t blocks = 0;    ///< of a point
    std::int64_t samples = 1;   ///< that a block has a part of
    double block_cycles = 0.0;  ///< of a multiprocessor, about, for a block of two that share it
};

/// Nothing where the kernel does not compute the convolution.
inline std::optional<ConvolutionBlocks> convolution_blocks_of(const ConvolutionArgs& args) {
    if (const auto shape = convolution_windows_of(args))
        return ConvolutionBlocks{windows::blocks_of(args, *shape), shape->patch.samples,
                                 windows::block_cycles(args, *shape)};
    if (const auto shape = convolution_tiles_of(args))
        return ConvolutionBlocks{tiles::blocks_of(args, *shape), shape->patch.samples,
                                 tiles::block_cycles(args, *shape)};
    return {};
}

/// Convolutions of channels-last planes, groups of 1, of all points in one launch: a block has a patch of the input,
/// zeros around it, and weights of its filters in shared memory, some channels at a time. fp32 accumulation by fused
/// multiply-add from the bias on, over (channel, tap) in order; positions outside the input count as zeros, as
/// libraries have it.
struct ConvolutionTiles : ConvolutionSteps {
    using Block = ConvolutionBlock;
    using Shared = Block::Shared;
    using Shape = ConvolutionTileShape;
    static constexpr int kThreads = Block::kThreads;
    static constexpr int kMinBlocks = 2;
    static constexpr int kPixels = Shape::kPixels;
    static constexpr int kFilters = Shape::kFilters;
    struct Thread {
        float sums[kPixels][kFilters] = {};
        std::int32_t from[kPixels] = {};  ///< in the patch, of each pixel's first tap
    };

    Shape shape;
    int width = 1;  ///< filters that are stored at once
    Divisor pixel_columns, pixel_rows;

    ConvolutionTiles(const ConvolutionArgs& args_in, const Shape& shape_in)
        : ConvolutionSteps(args_in, shape_in.patch, shape_in.filters(), shape_in.rows, shape_in.channels,
                           tiles::blocks_of(args_in, shape_in)),
          shape(shape_in),
          width(filters_at_once(args_in)),
          pixel_columns(static_cast<std::uint32_t>(args_in.window.output[2])),
          pixel_rows(static_cast<std::uint32_t>(shape_in.rows)) {}

    [[nodiscard]] std::int64_t block_count() const { return tiles::blocks_of(args, shape); }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        const Block::Place place = place_of(block);
        if (phase == 0) begin(point, place, thread, state);
        if (is_last(phase)) return write(point, place, thread, state);
        const Block::Piece piece = piece_of(phase);
        if (phase % 2 == 0)
            staging.fill(args, point, place, piece, thread, shared);
        else
            multiply(static_cast<int>(piece.count.value), thread, shared, state);
    }

private:
    struct Pixel {
        int column, row, sample;
    };
    [[nodiscard]] LOSSMAP_HD Pixel pixel_of(int thread, int k) const {
        auto index = static_cast<std::uint32_t>(k * shape.lanes() + thread % shape.lanes());
        Pixel pixel{};
        pixel.column = tiles::take(pixel_columns, index);
        pixel.row = tiles::take(pixel_rows, index);
        pixel.sample = static_cast<int>(index);
        return pixel;
    }
    [[nodiscard]] LOSSMAP_HD bool is_inside(const Block::Place& place, const Pixel& pixel) const {
        return pixel.sample < shape.patch.samples && place.sample + pixel.sample < args.samples &&
               place.row + pixel.row < args.window.output[1];
    }
    [[nodiscard]] LOSSMAP_HD std::int64_t first_filter(const Block::Place& place, int thread) const {
        return place.filter + thread / shape.lanes() * kFilters;
    }

    LOSSMAP_HD void begin(std::int64_t point, const Block::Place& place, int thread, Thread& state) const {
        const WindowGeometry& w = args.window;
        LOSSMAP_UNROLL
        for (int k = 0; k < kPixels; ++k) {
            const Pixel pixel = pixel_of(thread, k);
            const int row = pixel.row * static_cast<int>(w.stride[1]);
            const int at = pixel.sample * shape.patch.sample_floats + row * shape.patch.pitch +
                           pixel.column * static_cast<int>(w.stride[2]);
            state.from[k] = pixel.sample < shape.patch.samples ? at : 0;
        }
        const std::int64_t filter = first_filter(place, thread);
        LOSSMAP_UNROLL
        for (int f = 0; f < kFilters; ++f) {
            const float bias = bias_of(point, filter + f);
            LOSSMAP_UNROLL
            for (int k = 0; k < kPixels; ++k)
                state.sums[k][f] = bias;
        }
    }

    LOSSMAP_HD void multiply(int count, int thread, const Shared& shared, Thread& state) const {
        const WindowGeometry& w = args.window;
        const auto step = static_cast<int>(w.dilation[2]);
        const int line = static_cast<int>(w.dilation[1]) * shape.patch.pitch;
        int at = thread / shape.lanes() * kFilters;
        for (int channel = 0; channel < count; ++channel) {
            for (int y = 0; y < static_cast<int>(w.kernel[1]); ++y) {
                int offset = channel * shape.patch.channel_floats() + y * line;
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

    LOSSMAP_HD void write(std::int64_t point, const Block::Place& place, int thread, const Thread& state) const {
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
            store_filters(args, width, filter, at, values);
        }
    }
};

template <typename Launch>
void launch_convolution_tiles(const ConvolutionArgs& args, const Launch& launch) {
    if (!is_activation_of_tiles(args.activation.op))
        refuse("convolution_tiles", "activation", static_cast<int>(args.activation.op));
    for (const DType type : {args.in.type, args.weight.type, args.out.type}) {
        if (!is_float_storage(type)) refuse("convolution_tiles", "element type", static_cast<int>(type));
    }
    if (args.bias.data != nullptr && args.bias.type != DType::f32)
        refuse("convolution_tiles", "bias type", static_cast<int>(args.bias.type));
    const auto run = [&](const auto& body) { launch.blocks(args.points, body.block_count(), body); };
    if (const auto shape = convolution_windows_of(args)) {
        if (args.window.kernel[2] == 3)
            return shape->window_filters == 8 ? run(ConvolutionWindows<3, 4, 8>(args, *shape))
                                              : run(ConvolutionWindows<3, 2, 16>(args, *shape));
        return shape->window_filters == 8 ? run(ConvolutionWindows<5, 4, 8>(args, *shape))
                                          : run(ConvolutionWindows<5, 2, 16>(args, *shape));
    }
    const auto shape = convolution_tiles_of(args);
    if (!shape) refuse("convolution_tiles", "filters of no tile", args.group_filters);
    run(ConvolutionTiles(args, *shape));
}

}  // namespace lossmap::kernels
