#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "kernels/convolution.hpp"
#include "kernels/convolution_block.hpp"
#include "kernels/larger_number.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// How a block of ConvolutionWindows shares the work: a thread has a window of 2 rows x `window_columns` pixels and
/// `window_filters` filters, `filter_groups` threads stand side by side for the filters, all others for the windows of
/// a band of rows of some samples.
struct ConvolutionWindowShape {
    std::int32_t window_columns = 4;
    std::int32_t window_filters = 8;
    std::int32_t filter_groups = 1;
    std::int32_t row_pairs = 1;      ///< of a band
    std::int32_t column_groups = 1;  ///< of a row
    std::int32_t channels = 1;       ///< that are in shared memory at once
    ConvolutionPatch patch;

    [[nodiscard]] LOSSMAP_HD int lanes() const { return ConvolutionBlock::kThreads / filter_groups; }
    [[nodiscard]] LOSSMAP_HD int filters() const { return filter_groups * window_filters; }
    [[nodiscard]] LOSSMAP_HD int windows() const { return patch.samples * column_groups * row_pairs; }
    [[nodiscard]] LOSSMAP_HD int rows() const { return 2 * row_pairs; }
};

namespace windows {

/// Columns of the input that a thread reads of a row: whole loads of as many floats as it has columns.
constexpr std::int32_t seen_columns(std::int64_t columns, std::int64_t taps) {
    return static_cast<std::int32_t>((columns + taps - 1 + columns - 1) / columns * columns);
}

/// Floats behind each sample with which the loads of threads side by side meet the most different banks: threads go
/// over the samples first, then over columns.
inline std::int32_t padding_of(const ConvolutionWindowShape& shape, std::int32_t floats) {
    const std::int32_t columns = shape.window_columns;
    const std::int32_t together = 32 / columns;
    std::int32_t best = 0;
    int most = 0;
    for (std::int32_t padding = 0; padding < 32; padding += columns) {
        std::uint32_t met = 0;
        int banks = 0;
        for (std::int32_t lane = 0; lane < together; ++lane) {
            const std::int32_t at =
                lane % shape.patch.samples * (floats + padding) + lane / shape.patch.samples * columns;
            const std::uint32_t bank = 1U << (at / columns % together);
            banks += (met & bank) == 0 ? 1 : 0;
            met |= bank;
        }
        if (banks <= most) continue;
        most = banks;
        best = padding;
    }
    return best;
}

/// The shape with so many pairs of rows a band, as many samples as fit; nothing where not even one channel fits.
inline std::optional<ConvolutionWindowShape> with_rows(const ConvolutionArgs& args, ConvolutionWindowShape shape,
                                                       std::int64_t row_pairs) {
    const WindowGeometry& w = args.window;
    const std::int64_t rows = 2 * row_pairs + w.kernel[1] - 1;
    const std::int64_t groups = tiles::parts(w.output[2], shape.window_columns);
    const std::int64_t pitch = (groups - 1) * shape.window_columns + seen_columns(shape.window_columns, w.kernel[2]);
    if (rows * pitch > ConvolutionBlock::kPatch) return {};
    shape.row_pairs = static_cast<std::int32_t>(row_pairs);
    shape.column_groups = static_cast<std::int32_t>(groups);
    shape.patch.rows = static_cast<std::int32_t>(rows);
    shape.patch.columns = shape.patch.pitch = static_cast<std::int32_t>(pitch);
    const std::int64_t lanes = shape.lanes() / (row_pairs * groups);
    std::int64_t samples = lanes < args.samples ? lanes : args.samples;
    for (; samples > 0; --samples) {
        shape.patch.samples = static_cast<std::int32_t>(samples);
        const auto floats = static_cast<std::int32_t>(rows * pitch);
        shape.patch.sample_floats = floats + padding_of(shape, floats);
        if (shape.patch.channel_floats() <= ConvolutionBlock::kPatch) break;
    }
    const std::int64_t weights = ConvolutionBlock::kWeights / (w.kernel[1] * w.kernel[2] * shape.filters());
    if (samples == 0 || weights == 0) return {};
    std::int64_t channels = ConvolutionBlock::kPatch / shape.patch.channel_floats();
    channels = channels < weights ? channels : weights;
    // Evenly: the last piece costs what the others do.
    channels = tiles::parts(args.group_channels, tiles::parts(args.group_channels, channels));
    shape.channels = static_cast<std::int32_t>(channels);
    return shape;
}

inline std::int64_t blocks_of(const ConvolutionArgs& args, const ConvolutionWindowShape& shape) {
    return tiles::parts(args.samples, shape.patch.samples) * tiles::parts(args.window.output[1], shape.rows()) *
           tiles::parts(args.group_filters, shape.filters());
}

/// Cycles of a multiprocessor for a block that shares it with another one, about: 72 instructions a warp with work, tap
/// and channel, of which four start a cycle; 30 for each element that is put into shared memory.
inline double block_cycles(const ConvolutionArgs& args, const ConvolutionWindowShape& shape) {
    const WindowGeometry& w = args.window;
    const auto taps = static_cast<double>(w.kernel[1] * w.kernel[2] * args.group_channels);
    const std::int64_t pieces = tiles::parts(args.group_channels, shape.channels);
    const std::int64_t line = tiles::parts(shape.patch.columns * shape.channels, 32) * 32;
    const auto staged = static_cast<double>(pieces * line * shape.patch.samples * shape.patch.rows) +
                        taps * static_cast<double>(shape.filters());
    const auto warps = static_cast<double>(tiles::parts(shape.windows(), 32) * shape.filter_groups);
    return warps * 72.0 / 4.0 * taps + 30.0 / 128.0 * staged + 1000.0;
}

}  // namespace windows

/// The shape that takes the fewest cycles, or nothing where windows do not compute a convolution: steps or dilations,
/// kernels that are not 3 or 5 columns wide, rows that do not fit shared memory.
inline std::optional<ConvolutionWindowShape> convolution_windows_of(const ConvolutionArgs& args) {
    const WindowGeometry& w = args.window;
    if (!tiles::is_plain(args)) return {};
    for (const int axis : {1, 2}) {
        if (w.stride[axis] != 1 || w.dilation[axis] != 1) return {};
    }
    if (w.kernel[2] != 3 && w.kernel[2] != 5) return {};
    std::optional<ConvolutionWindowShape> best;
    double least = 0.0;
    const std::int64_t pairs = tiles::parts(w.output[1], 2);
    for (const std::int32_t filters : {8, 16}) {
        ConvolutionWindowShape shape;
        shape.window_filters = filters;
        shape.window_columns = 32 / filters;
        for (const std::int32_t groups : {1, 2, 4}) {
            shape.filter_groups = groups;
            for (std::int64_t bands = 1; bands <= pairs; ++bands) {
                const auto own = windows::with_rows(args, shape, tiles::parts(pairs, bands));
                if (!own) continue;
                const double cycles =
                    static_cast<double>(windows::blocks_of(args, *own)) * windows::block_cycles(args, *own);
                if (best && cycles >= least) continue;
                best = own;
                least = cycles;
            }
        }
    }
    return best;
}

/// Convolutions without steps and dilations whose kernel is kTaps columns wide: a thread holds what its window sees of
/// two rows of the input in registers, so that for all taps of a row it reads shared memory once. The order of sums is
/// that of ConvolutionTiles. Where `pooled`, windows leave the maxima of their 2 x 2 positions.
template <int kTaps, int kColumns, int kFilters>
struct ConvolutionWindows : ConvolutionSteps {
    using Block = ConvolutionBlock;
    using Shared = Block::Shared;
    static constexpr int kThreads = Block::kThreads;
    static constexpr int kMinBlocks = 2;
    static constexpr int kSeen = windows::seen_columns(kColumns, kTaps);
    struct Thread {
        float sums[2][kColumns][kFilters] = {};
    };

    ConvolutionWindowShape shape;
    int width = 1;  ///< filters that are stored at once
    Divisor window_samples, column_groups;

    ConvolutionWindows(const ConvolutionArgs& args_in, const ConvolutionWindowShape& shape_in)
        : ConvolutionSteps(args_in, shape_in.patch, shape_in.filters(), shape_in.rows(), shape_in.channels,
                           windows::blocks_of(args_in, shape_in)),
          shape(shape_in),
          width(filters_at_once(args_in)),
          window_samples(static_cast<std::uint32_t>(shape_in.patch.samples)),
          column_groups(static_cast<std::uint32_t>(shape_in.column_groups)) {}

    [[nodiscard]] std::int64_t block_count() const { return windows::blocks_of(args, shape); }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        const Block::Place place = place_of(block);
        const Window window = window_of(thread);
        if (phase == 0) begin(point, place, window, state);
        if (is_last(phase)) return write(point, place, window, state);
        const Block::Piece piece = piece_of(phase);
        if (phase % 2 == 0)
            staging.fill(args, point, place, piece, thread, shared);
        else if (window.sample < shape.patch.samples)
            multiply(static_cast<int>(piece.count.value), window, shared, state);
    }

private:
    /// Of a thread, within its block.
    struct Window {
        int filter, sample, row, column;
    };

    /// Threads without a window have a sample beyond the last one.
    [[nodiscard]] LOSSMAP_HD Window window_of(int thread) const {
        Window window{};
        const int lanes = shape.lanes();
        auto index = static_cast<std::uint32_t>(thread & (lanes - 1));
        window.filter = thread / lanes * kFilters;
        window.sample = tiles::take(window_samples, index);
        window.column = tiles::take(column_groups, index) * kColumns;
        window.row = static_cast<int>(index) * 2;
        if (window.row >= shape.rows()) window.sample = shape.patch.samples;
        return window;
    }

    LOSSMAP_HD void begin(std::int64_t point, const Block::Place& place, const Window& window, Thread& state) const {
        const std::int64_t filter = place.filter + window.filter;
        LOSSMAP_UNROLL
        for (int f = 0; f < kFilters; ++f) {
            const float bias = bias_of(point, filter + f);
            LOSSMAP_UNROLL
            for (int row = 0; row < 2; ++row) {
                LOSSMAP_UNROLL
                for (int column = 0; column < kColumns; ++column)
                    state.sums[row][column][f] = bias;
            }
        }
    }

    /// What a window sees of a row.
    LOSSMAP_HD static void load_row(const Shared& shared, int at, float (&row)[kSeen]) {
        LOSSMAP_UNROLL
        for (int first = 0; first < kSeen; first += kColumns) {
            float part[kColumns];
            load_packs<float, kColumns>(shared.patch, at + first, part);
            LOSSMAP_UNROLL
            for (int k = 0; k < kColumns; ++k)
                row[first + k] = part[k];
        }
    }

    LOSSMAP_HD void multiply(int count, const Window& window, const Shared& shared, Thread& state) const {
        const int pitch = shape.patch.pitch;
        const auto height = static_cast<int>(args.window.kernel[1]);
        int weight = window.filter;
        int from = window.sample * shape.patch.sample_floats + window.row * pitch + window.column;
        for (int channel = 0; channel < count; ++channel, from += shape.patch.channel_floats()) {
            float upper[kSeen], lower[kSeen];
            load_row(shared, from, upper);
            for (int y = 1; y <= height; ++y, weight += kTaps * filters) {
                load_row(shared, from + y * pitch, lower);
                LOSSMAP_UNROLL
                for (int x = 0; x < kTaps; ++x) {
                    float weights[kFilters];
                    load_packs<float, kFilters>(shared.weights, weight + x * filters, weights);
                    LOSSMAP_UNROLL
                    for (int column = 0; column < kColumns; ++column) {
                        add(weights, upper[column + x], state.sums[0][column]);
                        add(weights, lower[column + x], state.sums[1][column]);
                    }
                }
                LOSSMAP_UNROLL
                for (int k = 0; k < kSeen; ++k)
                    upper[k] = lower[k];
            }
        }
    }
    LOSSMAP_HD static void add(const float (&weights)[kFilters], float pixel, float (&sums)[kFilters]) {
        LOSSMAP_UNROLL
        for (int f = 0; f < kFilters; ++f)
            sums[f] = std::fma(weights[f], pixel, sums[f]);
    }

    LOSSMAP_HD void write(std::int64_t point, const Block::Place& place, const Window& window,
                          const Thread& state) const {
        if (window.sample >= shape.patch.samples || place.sample + window.sample >= args.samples) return;
        const std::int64_t filter = place.filter + window.filter;
        const std::int64_t row = place.row + window.row;
        const std::int64_t base =
            point * args.out.point_stride + filter + plane_offset(args.out_strides, place.sample + window.sample, 0);
        if (args.pooled)
            write_pooled(filter, base + row / 2 * args.out_strides.spatial[1], row, window.column, state);
        else
            write_all(filter, base + row * args.out_strides.spatial[1], row, window.column, state);
    }

    LOSSMAP_HD void write_all(std::int64_t filter, std::int64_t at, std::int64_t first_row, int first_column,
                              const Thread& state) const {
        LOSSMAP_UNROLL
        for (int row = 0; row < 2; ++row) {
            LOSSMAP_UNROLL
            for (int column = 0; column < kColumns; ++column) {
                if (first_row + row >= args.window.output[1] || first_column + column >= args.window.output[2])
                    continue;
                store(filter,
                      at + row * args.out_strides.spatial[1] + (first_column + column) * args.out_strides.spatial[2],
                      state.sums[row][column]);
            }
        }
    }

    LOSSMAP_HD void write_pooled(std::int64_t filter, std::int64_t at, std::int64_t row, int first_column,
                                 const Thread& state) const {
        if (row + 1 >= args.window.output[1]) return;
        LOSSMAP_UNROLL
        for (int column = 0; column < kColumns; column += 2) {
            if (first_column + column + 1 >= args.window.output[2]) return;
            float largest[kFilters];
            LOSSMAP_UNROLL
            for (int f = 0; f < kFilters; ++f) {
                largest[f] = larger_number(larger_number(state.sums[0][column][f], state.sums[0][column + 1][f]),
                                           larger_number(state.sums[1][column][f], state.sums[1][column + 1][f]));
            }
            store(filter, at + (first_column + column) / 2 * args.out_strides.spatial[2], largest);
        }
    }

    LOSSMAP_HD void store(std::int64_t filter, std::int64_t at, const float (&sums)[kFilters]) const {
        LOSSMAP_UNROLL
        for (int first = 0; first < kFilters; first += kPackWidth) {
            float values[kPackWidth];
            LOSSMAP_UNROLL
            for (int f = 0; f < kPackWidth; ++f)
                values[f] = sums[first + f];
            store_filters(args, width, filter + first, at + first, values);
        }
    }
};

}  // namespace lossmap::kernels
