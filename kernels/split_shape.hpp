#pragma once

#include "kernels/stage_shape.hpp"

namespace lossmap::kernels {

/// Where a block that runs a split stage (kernels/split_stage.hpp) keeps what: as a stage does, with low halves beside
/// the high ones. A warp computes 8 kTiles filters.
///
/// With three products for one (fp32) each buffer and the weights have low halves, behind their high ones. With one
/// product (tf32) only the residual stream has: products read high halves alone, so that one low buffer is enough for
/// what is added again later.
template <int kChannelsIn, int kSideIn, int kImagesIn, int kBandsIn, int kWarpsIn, int kTilesIn, int kProductsIn,
          int kMinBlocksIn>
struct SplitShape : StageShape<kChannelsIn, kSideIn, kImagesIn, kBandsIn, kChannelsIn / 16, kMinBlocksIn> {
    using Base = StageShape<kChannelsIn, kSideIn, kImagesIn, kBandsIn, kChannelsIn / 16, kMinBlocksIn>;
    static constexpr int kWarps = kWarpsIn;
    static constexpr int kTiles = kTilesIn;
    static constexpr bool kThreeProducts = kProductsIn == 3;
    static constexpr int kHalves = kThreeProducts ? 2 : 1;  ///< of a weight
    /// From one buffer of activations to the other one.
    static constexpr int kBufferStride = kHalves * Base::kBufferBytes;
    static constexpr int kHighBuffers = kThreeProducts ? 4 : 2;  ///< that stand in front and have borders that are read
    static constexpr int kWeightOffset = (kThreeProducts ? 4 : 3) * Base::kBufferBytes;
    static constexpr int kSplitWeightBytes = kHalves * Base::kWeightBytes;
    static constexpr int kBiasOffset = kWeightOffset + kSplitWeightBytes;
    /// Words of what is known of numbers (kernels/split_ledger.hpp): four an image, two of weights.
    static constexpr int kWordOffset = kBiasOffset + 4 * kChannelsIn;
    static constexpr int kWords = 4 * Base::kImages + 2;
    static constexpr int kSharedBytes = kWordOffset + (kWords + 3) / 4 * 16;

    static constexpr int kFilterGroups = kChannelsIn / (8 * kTiles);
    static constexpr int kStripWarps = kWarpsIn / kFilterGroups;
    static constexpr int kWeightRegisters = 9 * Base::kChunks * 2 * kTiles * kHalves;
    /// Images that share a row, each with 8 of a strip's columns; or one, with all of them.
    static constexpr int kStripImages = Base::kRowImages == 2 ? 2 : 1;
    /// Cycles that half of the warps begin a layer later than the others: half of what a warp alone takes for a
    /// row, 6.7 a product (mma.sync, measured) and some 250 for the rest.
    static constexpr int kLag = (67 * 9 * Base::kChunks * kTiles * kProductsIn / 10 + 250) / 2;

    static_assert(kProductsIn == 3 || (kProductsIn == 1 && kTilesIn == 2));
    static_assert(kWarpsIn % kFilterGroups == 0 && Base::kStrips % kStripWarps == 0);
    static_assert(kSideIn % 8 == 0 && Base::kRowImages <= 2, "no pixels that are computed and dropped");
    static_assert(!Base::kHasExit || Base::kExitSide % 8 == 0);

    /// First byte of the low halves of a buffer, that its high ones begin at.
    LOSSMAP_HD static constexpr int low_of(int buffer) {
        return kThreeProducts ? buffer + Base::kBufferBytes : 2 * Base::kBufferBytes;
    }
    /// First of the two registers of a tap's product with 16 input channels; part 0: high halves, 1: low ones.
    LOSSMAP_HD static constexpr int weight_register(int tap, int chunk, int part, int tile) {
        const int product = (tap * Base::kChunks + chunk) * 2 * kTiles * kHalves;
        return product + (kTiles == 2 ? 4 * part + 2 * tile : 2 * part);
    }
    /// Word k of an image; 0: the largest magnitude that is being stored.
    LOSSMAP_HD static constexpr int image_word(int image, int k = 0) { return kWordOffset + 4 * (4 * image + k); }
    static constexpr int kFetchedWeight = kWordOffset + 16 * Base::kImages;  ///< the largest that is being fetched
    static constexpr int kUsedWeight = kFetchedWeight + 4;                   ///< .. that is being computed with
    LOSSMAP_HD static constexpr int storing_word(int image, int) { return image_word(image); }
    LOSSMAP_HD static constexpr int weight_word(int, int) { return kUsedWeight; }
};

/// The shapes that kernels exist for: the stages of a ResNet for images of 32 x 32 pixels, sized for 227 KB of shared
/// memory; the first one for 163 KB, too.
using Split16x32 = SplitShape<16, 32, 1, 4, 8, 2, 3, 1>;
using Split32x16 = SplitShape<32, 16, 2, 2, 8, 1, 3, 1>;
using Split64x8 = SplitShape<64, 8, 2, 1, 8, 1, 3, 1>;
/// .. and with one product.
using Rounded16x32 = SplitShape<16, 32, 1, 4, 8, 2, 1, 2>;
using Rounded32x16 = SplitShape<32, 16, 4, 1, 8, 2, 1, 1>;
using Rounded64x8 = SplitShape<64, 8, 4, 1, 8, 2, 1, 1>;

}  // namespace lossmap::kernels
