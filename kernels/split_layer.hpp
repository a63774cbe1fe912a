#pragma once

#include <cstdint>

#include "kernels/matrix_fragments.hpp"
#include "kernels/split_pair.hpp"
#include "kernels/split_shape.hpp"
#include "kernels/stage_args.hpp"

namespace lossmap::kernels {

/// What a warp keeps in registers through a layer.
template <typename Shape, typename Warp>
struct SplitState {
    static constexpr int kTiles = Shape::kTiles;

    typename Warp::template Registers<std::uint32_t, Shape::kWeightRegisters> weights;
    typename Warp::template Registers<float, 2 * kTiles> bias;  ///< of channels 2 t, 2 t + 1 of each tile

    using Pixels = typename Warp::template Registers<std::uint32_t, 4>;
    using Offsets = typename Warp::template Registers<int, 1>;
    using Magnitudes = typename Warp::template Registers<std::uint32_t, Shape::kStripImages>;

    /// Of 16 pixels and 8 kTiles filters: products of high halves, and those with a low one, kSplitScale times as
    /// large. What is small is not added to what is large before the end (docs/decisions/0021-split-products.md).
    struct Sums {
        typename Warp::template Registers<float, 4 * kTiles> high, low;
    };

    LOSSMAP_HD void begin(const Warp& warp, Sums& sums) const {
        warp.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int k = 0; k < 4 * kTiles; ++k) {
                sums.high.at(lane, k) = bias.at(lane, k / 4 * 2 + k % 2);
                sums.low.at(lane, k) = 0.0F;
            }
        });
    }

    /// sums += pixels x weights of one tap, 16 input channels and 8 filters.
    LOSSMAP_HD void add(Warp& warp, Sums& sums, int tile, const Pixels& high, const Pixels& low, int tap,
                        int chunk) const {
        warp.multiply(sums.high, 4 * tile, high, weights, Shape::weight_register(tap, chunk, 0, tile));
        warp.multiply(sums.low, 4 * tile, high, weights, Shape::weight_register(tap, chunk, 1, tile));
        warp.multiply(sums.low, 4 * tile, low, weights, Shape::weight_register(tap, chunk, 0, tile));
    }

    /// First output channel of a warp.
    LOSSMAP_HD static int first_filter(const Warp& warp) { return warp.index % Shape::kFilterGroups * 8 * kTiles; }
};

/// Stores two channels of a pixel, both halves.
template <typename Shape, typename Warp>
LOSSMAP_HD inline void store_split(Warp& warp, int offset, float first, float second) {
    const SplitPair pair = split_pair(first, second);
    warp.store(offset, pair.high);
    warp.store(offset + Shape::kLow, pair.low);
}

/// One layer along one strip of 16 columns; the order of rows and sums is StageWalk's.
template <typename Shape, typename Warp>
class SplitWalk {
    using State = SplitState<Shape, Warp>;
    using Sums = typename State::Sums;
    static constexpr int kTiles = Shape::kTiles;

public:
    LOSSMAP_HD SplitWalk(const StageArgs& args, Warp& warp, const State& state, const typename Shape::Strip& strip,
                         int layer)
        : warp_(warp),
          state_(state),
          strip_(strip),
          kind_(args.kinds[layer]),
          source_(layer % 2 * Shape::kPairBytes),
          target_(Shape::kPairBytes - source_) {
        const int group = strip.group * Shape::kGroupBytes;
        warp.each_lane([&](int lane) {
            const int matrix = row_matrix(lane);
            const int pixel = Shape::segment_pixel(2 * strip.column + matrix % 2) + row_in_matrix(lane);
            rows_.at(lane, 0) = source_ + group + matrix / 2 * Shape::kPlaneBytes + pixel * 16;
            places_.at(lane, 0) = group + State::first_filter(warp) / 8 * Shape::kPlaneBytes +
                                  (1 + Shape::segment_pixel(2 * strip.column) + sum_place(lane, 0).row) * 16 +
                                  sum_place(lane, 0).column * 2;
            LOSSMAP_UNROLL
            for (int image = 0; image < Shape::kStripImages; ++image)
                largest_.at(lane, image) = 0;
        });
    }

    LOSSMAP_HD void run() {
        Sums above, here, below;
        state_.begin(warp_, above);
        state_.begin(warp_, here);
        state_.begin(warp_, below);
        int row = strip_.first_row > 0 ? strip_.first_row - 1 : 0;
        const int last =
            strip_.first_row + Shape::kBandRows < Shape::kSide ? strip_.first_row + Shape::kBandRows : Shape::kSide - 1;
        for (;;) {
            pass(row, above, here, below);
            if (row++ == last) return end(last, here);
            pass(row, here, below, above);
            if (row++ == last) return end(last, below);
            pass(row, below, above, here);
            if (row++ == last) return end(last, above);
        }
    }

private:
    /// Adds input row `row` to three output rows; the upper one is complete then.
    LOSSMAP_HD void pass(int row, Sums& above, Sums& here, Sums& below) {
        LOSSMAP_UNROLL
        for (int x = 0; x < 3; ++x) {
            LOSSMAP_UNROLL
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                const int offset = row * Shape::kRowBytes + x * 16 + chunk * 2 * Shape::kPlaneBytes;
                typename State::Pixels high, low;
                warp_.load_matrices(high, 0, rows_, offset);
                warp_.load_matrices(low, 0, rows_, offset + Shape::kLow);
                LOSSMAP_UNROLL
                for (int tile = 0; tile < kTiles; ++tile) {
                    state_.add(warp_, below, tile, high, low, x, chunk);
                    state_.add(warp_, here, tile, high, low, 3 + x, chunk);
                    state_.add(warp_, above, tile, high, low, 6 + x, chunk);
                }
            }
        }
        if (row > strip_.first_row) finish(row - 1, above);
        state_.begin(warp_, above);
    }

    /// Behind the last input row: the image's last output row has nothing below it.
    LOSSMAP_HD void end(int last, const Sums& sums) {
        if (last < strip_.first_row + Shape::kBandRows) finish(last, sums);
        LOSSMAP_UNROLL
        for (int image = 0; image < Shape::kStripImages; ++image)
            warp_.raise(Shape::image_word(strip_.group * Shape::kRowImages + image), warp_.largest(largest_, image));
    }

    /// Residual, ReLU and the halves of one output row.
    LOSSMAP_HD void finish(int row, const Sums& sums) {
        const bool adds = (kind_ & (kStageAddInput | kStageAddPrevious)) != 0;
        const int residual = (kind_ & kStageAddInput) != 0 ? source_ : target_;
        warp_.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int part = 0; part < 2 * kTiles; ++part) {
                // Part 2 t + h: tile t of channels, half h of the column.
                const int place = places_.at(lane, 0) + row * Shape::kRowBytes + part / 2 * Shape::kPlaneBytes +
                                  part % 2 * Shape::segment_pixel(1) * 16;
                const int k = 4 * (part / 2) + 2 * (part % 2);
                float first = joined(sums.high.at(lane, k), sums.low.at(lane, k));
                float second = joined(sums.high.at(lane, k + 1), sums.low.at(lane, k + 1));
                if (adds) {
                    const std::uint32_t high = warp_.load(residual + place);
                    const std::uint32_t low = warp_.load(residual + place + Shape::kLow);
                    first += joined(first_half(high), first_half(low));
                    second += joined(second_half(high), second_half(low));
                }
                if ((kind_ & kStageRelu) != 0) {  // NaN stays
                    first = first < 0.0F ? 0.0F : first;
                    second = second < 0.0F ? 0.0F : second;
                }
                std::uint32_t& largest = largest_.at(lane, part % Shape::kStripImages);
                largest = larger_bits(largest, larger_bits(magnitude_bits(first), magnitude_bits(second)));
                store_split<Shape>(warp_, target_ + place, first, second);
            }
        });
    }

    Warp& warp_;
    const State& state_;
    typename Shape::Strip strip_;
    int kind_;
    int source_;                          ///< byte of the pair of buffers that is read
    int target_;                          ///< .. that is written
    typename State::Offsets rows_;        ///< of input row 0, left tap
    typename State::Offsets places_;      ///< of output row 0 in the written buffer
    typename State::Magnitudes largest_;  ///< stored so far, by image
};

}  // namespace lossmap::kernels
