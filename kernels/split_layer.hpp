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

    /// Of 16 pixels and 8 kTiles filters: products of high halves, and those with a low one, where there are such,
    /// kSplitScale times as large. What is small is not added to what is large before the end
    /// (docs/decisions/0021-split-products.md).
    struct Sums {
        typename Warp::template Registers<float, 4 * kTiles> high, low;

        [[nodiscard]] LOSSMAP_HD float total(int lane, int k) const {
            if constexpr (!Shape::kThreeProducts) return high.at(lane, k);
            return joined(high.at(lane, k), low.at(lane, k));
        }
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
    /// @param low  not read where there is one product
    LOSSMAP_HD void add(Warp& warp, Sums& sums, int tile, const Pixels& high, const Pixels& low, int tap,
                        int chunk) const {
        warp.multiply(sums.high, 4 * tile, high, weights, Shape::weight_register(tap, chunk, 0, tile));
        if constexpr (!Shape::kThreeProducts) return;
        warp.multiply(sums.low, 4 * tile, high, weights, Shape::weight_register(tap, chunk, 1, tile));
        warp.multiply(sums.low, 4 * tile, low, weights, Shape::weight_register(tap, chunk, 0, tile));
    }

    /// First output channel of a warp.
    LOSSMAP_HD static int first_filter(const Warp& warp) { return warp.index % Shape::kFilterGroups * 8 * kTiles; }
};

/// Whether low halves of what a layer makes are read: where it is added later, or is the chain's result.
template <typename Shape>
LOSSMAP_HD inline bool keeps_low(const StageArgs& args, int layer) {
    if constexpr (Shape::kThreeProducts) return true;
    if (layer + 1 == args.layers) return args.out.data != nullptr;
    return (args.kinds[layer + 1] & kStageAddInput) != 0 ||
           (layer + 2 < args.layers && (args.kinds[layer + 2] & kStageAddPrevious) != 0);
}

/// One layer along one strip of 16 columns; the order of rows and sums is StageWalk's.
template <typename Shape, typename Warp>
class SplitWalk {
    using State = SplitState<Shape, Warp>;
    using Sums = typename State::Sums;
    static constexpr int kTiles = Shape::kTiles;
    static constexpr int kKeepsLow = 1 << 8;
    static constexpr int kParts = 2 * kTiles;  ///< of an output row: a tile of channels, a half of the column

public:
    LOSSMAP_HD SplitWalk(const StageArgs& args, Warp& warp, const State& state, const typename Shape::Strip& strip,
                         int layer)
        : warp_(warp),
          state_(state),
          strip_(strip),
          kind_(args.kinds[layer] | (keeps_low<Shape>(args, layer) ? kKeepsLow : 0)),
          source_(layer % 2 * Shape::kBufferStride) {
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
                if constexpr (Shape::kThreeProducts) warp_.load_matrices(low, 0, rows_, offset + Shape::low_of(0));
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

    LOSSMAP_HD void finish(int row, const Sums& sums) {
        if ((kind_ & (kStageAddInput | kStageAddPrevious)) != 0)
            finish_row<true>(row, sums);
        else
            finish_row<false>(row, sums);
    }

    /// Residual, ReLU and the halves of one output row. One branch for all parts, and all residuals first: so that one
    /// part's latencies are the others' work.
    template <bool kAdds>
    LOSSMAP_HD void finish_row(int row, const Sums& sums) {
        const int residual = (kind_ & kStageAddInput) != 0 ? source_ : target();
        const float floor = lowest((kind_ & kStageRelu) != 0);
        warp_.each_lane([&](int lane) {
            float values[kParts][2];
            std::uint32_t other[kParts], other_low[kParts];
            if constexpr (kAdds) {
                LOSSMAP_UNROLL
                for (int part = 0; part < kParts; ++part) {
                    other[part] = warp_.load(residual + place_of(lane, row, part));
                    other_low[part] = warp_.load(Shape::low_of(residual) + place_of(lane, row, part));
                }
            }
            LOSSMAP_UNROLL
            for (int part = 0; part < kParts; ++part) {
                LOSSMAP_UNROLL
                for (int k = 0; k < 2; ++k) {
                    float& value = values[part][k];
                    value = sums.total(lane, 4 * (part / 2) + 2 * (part % 2) + k);
                    if constexpr (kAdds) value += joined(half_number(other[part], k), half_number(other_low[part], k));
                    value = larger_number(value, floor);
                }
                std::uint32_t& largest = largest_.at(lane, part % Shape::kStripImages);
                largest =
                    larger_bits(largest, larger_bits(magnitude_bits(values[part][0]), magnitude_bits(values[part][1])));
            }
            LOSSMAP_UNROLL
            for (int part = 0; part < kParts; ++part)
                warp_.store(target() + place_of(lane, row, part), pack_halves(values[part][0], values[part][1]));
            if (!Shape::kThreeProducts && (kind_ & kKeepsLow) == 0) return;
            LOSSMAP_UNROLL
            for (int part = 0; part < kParts; ++part)
                warp_.store(Shape::low_of(target()) + place_of(lane, row, part),
                            split_pair(values[part][0], values[part][1]).low);
        });
    }

    /// Byte of the buffer that is written.
    [[nodiscard]] LOSSMAP_HD int target() const { return Shape::kBufferStride - source_; }

    /// Byte of a lane's two channels in a buffer: of part 2 t + h of an output row, tile t of channels, half h of the
    /// column.
    LOSSMAP_HD int place_of(int lane, int row, int part) const {
        return places_.at(lane, 0) + row * Shape::kRowBytes + part / 2 * Shape::kPlaneBytes +
               part % 2 * Shape::segment_pixel(1) * 16;
    }

    Warp& warp_;
    const State& state_;
    typename Shape::Strip strip_;
    int kind_;                            ///< StageLayer bits, and kKeepsLow
    int source_;                          ///< byte of the buffer that is read
    typename State::Offsets rows_;        ///< of input row 0, left tap
    typename State::Offsets places_;      ///< of output row 0 in the written buffer
    typename State::Magnitudes largest_;  ///< stored so far, by image
};

}  // namespace lossmap::kernels
