#pragma once

#include <cstdint>

#include "kernels/stage_layer.hpp"

namespace lossmap::kernels {

/// The way out of a stage: 16 filters of a convolution with stride 2, over 8 pixels of each of two segments of rows of
/// the result (16 pixels of one image or 8 of each of two). What it writes is not read by other warps before the last
/// barrier, so that it may stand densely.
///
/// Every second pixel is 32 bytes from the last one, so that eight of them would meet each bank twice. The upper four
/// are read from the other plane of 8 channels instead, 16 bytes off, and change places with it in registers.
template <typename Shape, typename Warp>
class StageExitRow {
    using State = StageState<Shape, Warp>;

public:
    /// @param part    which `Shape::kChannels` of the filters
    /// @param tensor  0: the 3x3 convolution; 1: the 1x1 one of the shortcut
    LOSSMAP_HD StageExitRow(const StageArgs& args, Warp& warp, const State& state, int part, int tensor, int unit)
        : args_(args),
          warp_(warp),
          state_(state),
          first_filter_(part * Shape::kChannels + State::first_channel(warp)),
          tensor_(tensor),
          segment_(unit / Shape::kExitSide * 2),
          row_(unit % Shape::kExitSide),
          source_(args.layers % 2 * Shape::kBufferBytes),
          target_(Shape::kBufferBytes - source_) {
        warp.each_lane([&](int lane) {
            const int matrix = row_matrix(lane), row = row_in_matrix(lane), segment = segment_ + matrix % 2;
            rows_.at(lane, 0) =
                source_ + Shape::exit_row_offset(segment, row, matrix / 2) + 2 * row_ * Shape::kRowBytes;
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
            typename State::Pixels pixels;
            warp_.load_matrices(pixels, 0, rows_, (y - 1) * Shape::kRowBytes + x * 16 + chunk * 2 * Shape::kPlaneBytes);
            warp_.each_lane([&](int lane) {
                if (sum_place(lane, 0).row < 4) return;
                LOSSMAP_UNROLL
                for (int half = 0; half < 2; ++half) {
                    const std::uint32_t lower = pixels.at(lane, half);
                    pixels.at(lane, half) = pixels.at(lane, 2 + half);
                    pixels.at(lane, 2 + half) = lower;
                }
            });
            state_.add(warp_, sums, 0, pixels, 3 * y + x, chunk);
            state_.add(warp_, sums, 1, pixels, 3 * y + x, chunk);
        }
    }

    LOSSMAP_HD void store(const typename State::Sums& sums, std::int64_t point, std::int64_t first) {
        const std::uint32_t floor = stage_floor(tensor_ == 0 && args_.exit_relu);
        warp_.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int half = 0; half < 2; ++half) {
                const int segment = segment_ + half, image = Shape::exit_segment_image(segment);
                const int x = Shape::exit_segment_pixel(segment) + sum_place(lane, 0).row;
                if (x >= Shape::kExitSide) continue;
                std::uint32_t largest = 0;
                LOSSMAP_UNROLL
                for (int tile = 0; tile < 2; ++tile) {
                    const int plane = first_filter_ / 8 + tile, k = 4 * tile + 2 * half;
                    if (plane * 8 >= args_.exit_channels) continue;
                    const std::uint32_t rounded = pack_halves(sums.at(lane, k), sums.at(lane, k + 1));
                    largest = larger_magnitudes(largest, rounded);
                    warp_.store(target_ + Shape::exit_offset(tensor_, plane, image, row_ * Shape::kExitSide + x) +
                                    sum_place(lane, 0).column * 2,
                                larger_halves(rounded, floor));
                }
                if (has_non_finite(largest)) args_.flag(point, first + image);
            }
        });
    }

    const StageArgs& args_;
    Warp& warp_;
    const State& state_;
    int first_filter_;
    int tensor_;
    int segment_;  ///< the first of two
    int row_;
    int source_;
    int target_;
    typename State::Offsets rows_;  ///< of the middle input row, left tap
};

}  // namespace lossmap::kernels
