#pragma once

#include "kernels/stage_shape.hpp"

namespace lossmap::kernels {

/// Where a block that runs a split stage (kernels/split_stage.hpp) keeps what: as a stage does, with the low halves
/// behind the high ones of each buffer and of the weights. A warp computes 8 kTiles filters.
template <int kChannelsIn, int kSideIn, int kImagesIn, int kBandsIn, int kWarpsIn, int kTilesIn>
struct SplitShape : StageShape<kChannelsIn, kSideIn, kImagesIn, kBandsIn, kChannelsIn / 16, 1> {
    using Base = StageShape<kChannelsIn, kSideIn, kImagesIn, kBandsIn, kChannelsIn / 16, 1>;
    static constexpr int kWarps = kWarpsIn;
    static constexpr int kTiles = kTilesIn;
    static constexpr int kLow = Base::kBufferBytes;  ///< from a high half to its low one
    static constexpr int kPairBytes = 2 * Base::kBufferBytes;
    static constexpr int kWeightOffset = 2 * kPairBytes;
    static constexpr int kSplitWeightBytes = 2 * Base::kWeightBytes;
    /// Words of what is known of numbers (kernels/split_ledger.hpp): four an image, two of weights.
    static constexpr int kWordOffset = kWeightOffset + kSplitWeightBytes;
    static constexpr int kWords = 4 * Base::kImages + 2;
    static constexpr int kSharedBytes = kWordOffset + (kWords + 3) / 4 * 16;

    static constexpr int kFilterGroups = kChannelsIn / (8 * kTiles);
    static constexpr int kStripWarps = kWarpsIn / kFilterGroups;
    static constexpr int kWeightRegisters = 9 * Base::kChunks * 4 * kTiles;
    /// Images that share a row, each with 8 of a strip's columns; or one, with all of them.
    static constexpr int kStripImages = Base::kRowImages == 2 ? 2 : 1;

    static_assert(kWarpsIn % kFilterGroups == 0 && Base::kStrips % kStripWarps == 0);
    static_assert(kSideIn % 8 == 0 && Base::kRowImages <= 2, "no pixels that are computed and dropped");
    static_assert(!Base::kHasExit || Base::kExitSide % 8 == 0);

    /// First of the two registers of a tap's product with 16 input channels; part 0: high halves, 1: low ones.
    LOSSMAP_HD static constexpr int weight_register(int tap, int chunk, int part, int tile) {
        return ((tap * Base::kChunks + chunk) * kTiles + (kTiles == 2 ? part : 0)) * 4 +
               2 * (kTiles == 2 ? tile : part);
    }
    /// Word k of an image; 0: the largest magnitude that is being stored.
    LOSSMAP_HD static constexpr int image_word(int image, int k = 0) { return kWordOffset + 4 * (4 * image + k); }
    static constexpr int kFetchedWeight = kWordOffset + 16 * Base::kImages;  ///< the largest that is being fetched
    static constexpr int kUsedWeight = kFetchedWeight + 4;                   ///< .. that is being computed with
};

/// The shapes that kernels exist for: the stages of a ResNet for images of 32 x 32 pixels, sized for 227 KB of shared
/// memory; the first one for 163 KB, too.
using Split16x32 = SplitShape<16, 32, 1, 4, 8, 2>;
using Split32x16 = SplitShape<32, 16, 2, 2, 8, 1>;
using Split64x8 = SplitShape<64, 8, 2, 1, 8, 1>;

}  // namespace lossmap::kernels
