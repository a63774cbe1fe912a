#pragma once

#include <cstdint>

#include "kernels/split_layer.hpp"

namespace lossmap::kernels {

/// The way out of a split stage: 8 kTiles filters of a convolution with stride 2, over 16 pixels, as StageExitRow reads
/// them. Results go to global memory as they are: 8 filters of a pixel are 32 bytes.
template <typename Shape, typename Warp>
class SplitExitRow {
    using State = SplitState<Shape, Warp>;

public:
    /// @param part    which `Shape::kChannels` of the filters
    /// @param tensor  0: the 3x3 convolution; 1: the 1x1 one of the shortcut
    LOSSMAP_HD SplitExitRow(const StageArgs& args, Warp& warp, const State& state, int part, int tensor, int unit)
        : args_(args),
          warp_(warp),
          state_(state),
          first_filter_(part * Shape::kChannels + State::first_filter(warp)),
          tensor_(tensor),
          segment_(unit / Shape::kExitSide * 2),
          row_(unit % Shape::kExitSide) {
        const int source = args.layers % 2 * Shape::kBufferStride;
        warp.each_lane([&](int lane) {
            const int matrix = row_matrix(lane), row = row_in_matrix(lane), segment = segment_ + matrix % 2;
            rows_.at(lane, 0) = source + Shape::exit_row_offset(segment, row, matrix / 2) + 2 * row_ * Shape::kRowBytes;
        });
    }

    LOSSMAP_HD void run(std::int64_t point, std::int64_t first) {
        if (first_filter_ >= args_.exit_channels) return;
        typename State::Sums sums;
        state_.begin(warp_, sums);
        if (tensor_ == 1) {
            tap(sums, 1, 1);
        } else {
            LOSSMAP_UNROLL
            for (int y = 0; y < 3; ++y) {
                if (y == 0 && row_ == 0) continue;  // above the image
                LOSSMAP_UNROLL
                for (int x = 0; x < 3; ++x)
                    tap(sums, y, x);
            }
        }
        store(sums, point, first);
    }

private:
    LOSSMAP_HD void tap(typename State::Sums& sums, int y, int x) {
        LOSSMAP_UNROLL
        for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
            const int offset = (y - 1) * Shape::kRowBytes + x * 16 + chunk * 2 * Shape::kPlaneBytes;
            typename State::Pixels high, low;
            load(high, offset);
            if constexpr (Shape::kThreeProducts) load(low, offset + Shape::low_of(0));
            LOSSMAP_UNROLL
            for (int tile = 0; tile < Shape::kTiles; ++tile)
                state_.add(warp_, sums, tile, high, low, 3 * y + x, chunk);
        }
    }

    /// The upper four pixels of a matrix come from the other plane of channels.
    LOSSMAP_HD void load(typename State::Pixels& pixels, int offset) {
        warp_.load_matrices(pixels, 0, rows_, offset);
        warp_.each_lane([&](int lane) {
            if (sum_place(lane, 0).row < 4) return;
            LOSSMAP_UNROLL
            for (int half = 0; half < 2; ++half) {
                const std::uint32_t lower = pixels.at(lane, half);
                pixels.at(lane, half) = pixels.at(lane, 2 + half);
                pixels.at(lane, 2 + half) = lower;
            }
        });
    }

    LOSSMAP_HD void store(const typename State::Sums& sums, std::int64_t point, std::int64_t first) {
        const Output& out = tensor_ == 0 ? args_.exit : args_.shortcut;
        const float floor = lowest(tensor_ == 0 && args_.exit_relu);
        float* target = static_cast<float*>(out.data) + point * out.point_stride;
        typename Warp::template Registers<std::uint32_t, 2> largest;  // by half
        warp_.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int half = 0; half < 2; ++half) {
                largest.at(lane, half) = 0;
                const int segment = segment_ + half;
                const std::int64_t image = first + Shape::exit_segment_image(segment);
                if (image >= args_.samples) continue;
                const int pixel = row_ * Shape::kExitSide + Shape::exit_segment_pixel(segment) + sum_place(lane, 0).row;
                LOSSMAP_UNROLL
                for (int tile = 0; tile < Shape::kTiles; ++tile) {
                    const int filter = first_filter_ + 8 * tile, k = 4 * tile + 2 * half;
                    if (filter >= args_.exit_channels) continue;
                    Pack<float, 2> pair;
                    LOSSMAP_UNROLL
                    for (int e = 0; e < 2; ++e)
                        pair.values[e] = larger_number(sums.total(lane, k + e), floor);
                    largest.at(lane, half) =
                        larger_bits(largest.at(lane, half),
                                    larger_bits(magnitude_bits(pair.values[0]), magnitude_bits(pair.values[1])));
                    *reinterpret_cast<Pack<float, 2>*>(target +
                                                       (image * Shape::kExitPixels + pixel) * args_.exit_channels +
                                                       filter + sum_place(lane, 0).column) = pair;
                }
            }
        });
        LOSSMAP_UNROLL
        for (int half = 0; half < 2; ++half)
            warp_.raise(Shape::image_word(Shape::exit_segment_image(segment_ + half)), warp_.largest(largest, half));
    }

    const StageArgs& args_;
    Warp& warp_;
    const State& state_;
    int first_filter_;
    int tensor_;
    int segment_;  ///< the first of two
    int row_;
    typename State::Offsets rows_;  ///< of the middle input row, left tap
};

}  // namespace lossmap::kernels
