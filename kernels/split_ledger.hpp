#pragma once

#include <cstdint>

#include "kernels/split_layer.hpp"

namespace lossmap::kernels {

/// Keeps account, image by image, of what halves lose, and flags images where that shows.
///
/// Numbers below 2^-14 are held with an absolute error, 2^-36 by two halves and 2^-25 by one. It is of no account
/// beside larger ones: an image, all numbers of which are off by less than kGood of the largest one, counts as exact.
/// Else the error is carried on: a layer makes at most `inputs x largest weight` times as much of it, and adds what its
/// own weights are off by. So a branch of a residual network whose weights have all but vanished, as training leaves
/// some, is no harm where it is added to what is large; but a result is flagged when it leaves the chain with an error
/// that shows.
template <typename Shape>
class SplitLedger {
    static constexpr float kStep = Shape::kThreeProducts ? kSplitStep : kHalfStep;
    /// Below what results are held to: 1e-4, or half a unit of tf32's last place, 2^-11.
    static constexpr float kGood = Shape::kThreeProducts ? 0x1p-18F : 0x1p-13F;
    static constexpr float kInputs = 9.0F * Shape::kChannels;

public:
    /// Between the computation of one block of weights and that of the next one: an image's numbers, by one thread.
    /// @param team   a warp or warpgroup
    /// @param first  sample of the tile
    /// @param done   blocks of weights that have been computed with; 0: the input has been read
    /// @param turn   which words are meant where there are two that take turns
    template <typename Team>
    LOSSMAP_HD static void judge(const StageArgs& args, Team& team, std::int64_t point, std::int64_t first, int image,
                                 int done, int turn = 0) {
        if (!holds(args, team, image, done, turn)) args.flag(point, first + image);
    }

    /// While a block of weights is computed with: makes room for the next one's largest weight.
    template <typename Warp>
    LOSSMAP_HD static void take_weight(Warp& warp) {
        if (warp.index != 0) return;
        warp.each_lane([&](int lane) {
            if (lane != 0) return;
            warp.store(Shape::kUsedWeight, warp.load(Shape::kFetchedWeight));
            warp.store(Shape::kFetchedWeight, 0);
        });
    }

private:
    /// Places of an image's words; 0: Shape::storing_word.
    enum Word : std::uint8_t { kLargest = 1, kError, kErrorBefore };

    template <typename Team>
    LOSSMAP_HD static bool holds(const StageArgs& args, Team& team, int image, int done, int turn) {
        const auto word = [&](Word k) { return magnitude_of(team.load(Shape::image_word(image, k))); };
        const std::uint32_t bits = team.load(Shape::storing_word(image, turn));
        const float largest = magnitude_of(bits);
        team.store(Shape::storing_word(image, turn), 0);
        const bool leaves = done > args.layers;  // as it is, not in halves
        float error = 0.0F, before = kStep;
        if (done > 0) {
            // A weight may be half a unit of f16's subnormals larger than its high part.
            const float weight = first_half(team.load(Shape::weight_word(image, turn))) + 0x1p-25F;
            before = word(kError);
            // A layer's weights count as exact as an image does. (Of two halves that would hide too little to matter.)
            const float own = !Shape::kThreeProducts && kStep <= kGood * weight ? 0.0F : kStep;
            error = kInputs * (own * word(kLargest) + weight * before);
            const int kind = leaves ? 0 : args.kinds[done - 1];
            if ((kind & kStageAddInput) != 0) error += before;
            if ((kind & kStageAddPrevious) != 0) error += word(kErrorBefore);
        }
        if (!leaves && bits != 0) error += kStep;
        if (error <= kGood * largest) error = 0.0F;  // NaN does not
        if (leaves) return error == 0.0F;
        team.store(Shape::image_word(image, kLargest), bits);
        team.store(Shape::image_word(image, kError), magnitude_bits(error));
        team.store(Shape::image_word(image, kErrorBefore), magnitude_bits(before));
        const bool is_result = done == args.layers && args.out.data != nullptr;
        return bits < magnitude_bits(kSplitBeyond) && (!is_result || error == 0.0F);
    }
};

}  // namespace lossmap::kernels
