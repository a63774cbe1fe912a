#pragma once

#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/matrix_fragments.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/stage_shape.hpp"

namespace lossmap::kernels {

/// What a warp keeps in registers through a layer.
template <typename Shape, typename Warp>
struct StageState {
    typename Warp::template Registers<std::uint32_t, Shape::kWeightRegisters> weights;
    typename Warp::template Registers<float, 4> bias;  ///< of channels 2 t, 2 t + 1 of both tiles

    static constexpr int kSums = 8;  ///< of a lane for 16 pixels and 16 channels: two tiles of four
    using Sums = typename Warp::template Registers<float, kSums>;
    using Pixels = typename Warp::template Registers<std::uint32_t, 4>;
    using Pairs = typename Warp::template Registers<std::uint32_t, 4>;
    using Offsets = typename Warp::template Registers<int, 1>;
    using Magnitudes = typename Warp::template Registers<std::uint32_t, 2>;  ///< by half of a column

    LOSSMAP_HD void begin(const Warp& warp, Sums& sums) const {
        warp.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kSums; ++k)
                sums.at(lane, k) = bias.at(lane, k / 4 * 2 + k % 2);
        });
    }

    /// sums += pixels x weights of one tap and 16 input channels.
    LOSSMAP_HD void add(Warp& warp, Sums& sums, int tile, const Pixels& pixels, int tap, int chunk) const {
        warp.multiply(sums, 4 * tile, pixels, weights, Shape::weight_register(tap, chunk) + 2 * tile);
    }

    /// First output channel of a warp.
    LOSSMAP_HD static int first_channel(const Warp& warp) { return warp.index % Shape::kChannelGroups * 16; }
};

/// One layer along one strip of 16 columns. An input row, loaded once for each horizontal tap, adds to the output rows
/// above, at and below it, whose sums are three sets of registers.
template <typename Shape, typename Warp>
class StageWalk {
    using State = StageState<Shape, Warp>;
    using Sums = typename State::Sums;
    using Pairs = typename State::Pairs;

public:
    LOSSMAP_HD StageWalk(const StageArgs& args, Warp& warp, const State& state, const typename Shape::Strip& strip,
                         int layer)
        : args_(args),
          warp_(warp),
          state_(state),
          strip_(strip),
          kind_(args.kinds[layer]),
          source_(layer % 2 * Shape::kBufferBytes),
          target_(Shape::kBufferBytes - source_) {
        const int group = strip.group * Shape::kGroupBytes;
        warp.each_lane([&](int lane) {
            const int matrix = row_matrix(lane);
            const int pixel = Shape::segment_pixel(2 * strip.column + matrix % 2) + row_in_matrix(lane);
            rows_.at(lane, 0) = source_ + group + matrix / 2 * Shape::kPlaneBytes + pixel * 16;
            places_.at(lane, 0) = group + State::first_channel(warp) / 8 * Shape::kPlaneBytes +
                                  (1 + Shape::segment_pixel(2 * strip.column) + sum_place(lane, 0).row) * 16 +
                                  sum_place(lane, 0).column * 2;
            largest_.at(lane, 0) = largest_.at(lane, 1) = 0;
        });
    }

    LOSSMAP_HD void run(std::int64_t point, std::int64_t first) {
        Sums above, here, below;
        state_.begin(warp_, above);
        state_.begin(warp_, here);
        state_.begin(warp_, below);
        int row = strip_.first_row > 0 ? strip_.first_row - 1 : 0;
        const int last =
            strip_.first_row + Shape::kBandRows < Shape::kSide ? strip_.first_row + Shape::kBandRows : Shape::kSide - 1;
        // The three sets of sums change places from row to row; unrolled, that is a matter of names.
        for (;;) {
            pass(row, above, here, below);
            if (row++ == last) return end(last, here, point, first);
            pass(row, here, below, above);
            if (row++ == last) return end(last, below, point, first);
            pass(row, below, above, here);
            if (row++ == last) return end(last, above, point, first);
        }
    }

private:
    /// Adds input row `row` to three output rows; the upper one is complete then.
    LOSSMAP_HD void pass(int row, Sums& above, Sums& here, Sums& below) {
        // Long before it is added: nothing waits for it.
        const Pairs residual = residual_of(row > strip_.first_row ? row - 1 : row);
        LOSSMAP_UNROLL
        for (int x = 0; x < 3; ++x) {
            LOSSMAP_UNROLL
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                typename State::Pixels pixels;
                warp_.load_matrices(pixels, 0, rows_, row * Shape::kRowBytes + x * 16 + chunk * 2 * Shape::kPlaneBytes);
                LOSSMAP_UNROLL
                for (int tile = 0; tile < 2; ++tile) {
                    state_.add(warp_, below, tile, pixels, x, chunk);
                    state_.add(warp_, here, tile, pixels, 3 + x, chunk);
                    state_.add(warp_, above, tile, pixels, 6 + x, chunk);
                }
            }
        }
        if (row > strip_.first_row) finish(row - 1, above, residual);
        state_.begin(warp_, above);
    }

    /// Behind the last input row: the image's last output row has nothing below it.
    LOSSMAP_HD void end(int last, const Sums& sums, std::int64_t point, std::int64_t first) {
        if (last < strip_.first_row + Shape::kBandRows) finish(last, sums, residual_of(last));
        warp_.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int half = 0; half < 2; ++half) {
                const int image = Shape::segment_image(2 * strip_.column + half);
                if (has_non_finite(largest_.at(lane, half)))
                    args_.flag(point, first + strip_.group * Shape::kRowImages + image);
            }
        });
    }

    /// Byte of a lane's two channels in a buffer: of part 2 t + h of an output row, tile t of channels, half h of the
    /// column.
    LOSSMAP_HD int place_of(int lane, int row, int part) const {
        // A column is 16 pixels of one image, or 8 of each of two.
        return places_.at(lane, 0) + row * Shape::kRowBytes + part / 2 * Shape::kPlaneBytes +
               part % 2 * Shape::segment_pixel(1) * 16;
    }

    /// Whether a lane's pixel in a half of the column is the image's, not of the zeros behind its rows.
    LOSSMAP_HD bool is_pixel(int lane, int half) const {
        return Shape::kSide == Shape::kWidth ||
               sum_place(lane, 0).row < Shape::segment_length(2 * strip_.column + half);
    }

    /// What is added to an output row; zeros where that is nothing.
    LOSSMAP_HD Pairs residual_of(int row) const {
        const bool adds = (kind_ & (kStageAddInput | kStageAddPrevious)) != 0;
        const int buffer = (kind_ & kStageAddInput) != 0 ? source_ : target_;
        Pairs pairs;
        warp_.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int part = 0; part < 4; ++part)
                pairs.at(lane, part) = adds ? warp_.load(buffer + place_of(lane, row, part)) : 0u;
        });
        return pairs;
    }

    /// Residual, overflow, ReLU and the rounding of one output row.
    LOSSMAP_HD void finish(int row, const Sums& sums, const Pairs& residual) {
        const std::uint32_t floor = stage_floor((kind_ & kStageRelu) != 0);
        warp_.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int part = 0; part < 4; ++part) {
                const int first = 4 * (part / 2) + 2 * (part % 2);
                const std::uint32_t other = residual.at(lane, part);
                const std::uint32_t rounded = pack_halves(sums.at(lane, first) + first_half(other),
                                                          sums.at(lane, first + 1) + second_half(other));
                if (!is_pixel(lane, part % 2)) continue;
                largest_.at(lane, part % 2) = larger_magnitudes(largest_.at(lane, part % 2), rounded);
                warp_.store(target_ + place_of(lane, row, part), larger_halves(rounded, floor));
            }
        });
    }

    const StageArgs& args_;
    Warp& warp_;
    const State& state_;
    typename Shape::Strip strip_;
    int kind_;
    int source_;                          ///< byte of the buffer that is read
    int target_;                          ///< .. that is written
    typename State::Offsets rows_;        ///< of input row 0, left tap
    typename State::Offsets places_;      ///< of output row 0 in the written buffer
    typename State::Magnitudes largest_;  ///< stored so far
};

}  // namespace lossmap::kernels
