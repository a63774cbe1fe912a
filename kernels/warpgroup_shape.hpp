#pragma once

#include "core/host_device.hpp"
#include "kernels/matrix_layout.hpp"

namespace lossmap::kernels {

/// Where a block that runs a stage on `wgmma` (kernels/warpgroup_stage.hpp) keeps what: kImages images of kSide x kSide
/// pixels.
///
/// A product takes 64 rows: the cells of a row of kSlots slots, slots innermost, so that a cell to the right is kSlots
/// units of 16 bytes further, whatever the slot, and a row is one operand at any horizontal tap. A cell is one pixel,
/// or kPair of them side by side whose channels stand behind each other: few channels fill a product that way, at the
/// price of weights that are zero. A slot is an image, or one of kHalves parts of it, one above the other; parts keep a
/// copy of their neighbour's next row. Channels stand in planes of 8, 16 bytes a cell. A cell of zeros stands in front
/// of every row and behind the last one.
///
/// A number is one f16, or two (kernels/split_pair.hpp): then low ones stand behind the high ones, in a buffer and in a
/// layer's weights, and words of what is known of an image's numbers behind everything (kernels/split_ledger.hpp).
template <int kChannelsIn, int kSideIn, int kImagesIn, int kPairIn, int kWarpgroupsIn, int kWeightBuffersIn,
          int kFilterGroupsIn, int kTermsIn>
struct WarpgroupShape {
    static constexpr int kChannels = kChannelsIn;
    static constexpr int kSide = kSideIn;
    static constexpr int kImages = kImagesIn;  ///< in a block
    static constexpr int kPair = kPairIn;
    static constexpr int kWarpgroups = kWarpgroupsIn;
    static constexpr int kWeightBuffers = kWeightBuffersIn;  ///< 2: the next layer's weights are fetched under this one
    static constexpr bool kTurns = kWeightBuffers == 2;      ///< a layer is WarpgroupTurns, not WarpgroupCarry
    static constexpr int kFilterGroups = kFilterGroupsIn;    ///< that different warpgroups compute
    static constexpr int kBands = kWarpgroups / kFilterGroups;  ///< of rows, that different warpgroups compute
    static constexpr int kThreads = kWarpgroups * 128;
    static constexpr int kTerms = kTermsIn;  ///< f16 that a number is the sum of
    static constexpr bool kThreeProducts = kTerms == 2;

    static constexpr int kPixels = kSide * kSide;
    static constexpr int kCells = kSide / kPair;  ///< of a row
    static constexpr int kSlots = 64 / kCells;
    static constexpr int kHalves = kSlots / kImages;
    static constexpr int kRows = kSide / kHalves;  ///< of a slot
    static constexpr int kHalo = kHalves > 1 ? 1 : 0;
    static constexpr int kCellChannels = kPair * kChannels;
    static constexpr int kChannelPlanes = kChannels / 8;
    static constexpr int kPlanes = kCellChannels / 8;

    static constexpr int kCellBytes = kSlots * 16;
    static constexpr int kRowBytes = (kCells + 1) * kCellBytes;
    /// 16 bytes more than a multiple of 128, so that the planes of a pixel stand in different banks.
    static constexpr int kPlaneBytes = ((kRows + 2 * kHalo) * kRowBytes + kCellBytes + 111) / 128 * 128 + 16;
    static constexpr int kLowPixels = kPlanes * kPlaneBytes;  ///< bytes from a high term to the low one
    static constexpr int kBufferBytes = kTerms * kLowPixels;
    static constexpr int kBorderCells = (kRows + 2 * kHalo + 1) * kSlots;  ///< in front of rows, and behind the last
    static constexpr int kOuterCells = 2 * kHalo * kImages * kCells;       ///< in rows above and below images
    static constexpr int kZeroCells = kBorderCells + kOuterCells;          ///< that nothing but zeros is stored in

    /// K of a layer, in steps of 16 channels: a horizontal tap's, or those of the four pixels that a pair reads.
    static constexpr int kChunks = kChannels / 16;
    static constexpr int kSteps = kPair == 2 ? 4 : 3 * kChunks;
    /// Filters of vertical taps 0, 1, 2 behind each other; or of 2, 1, 0, 2, 1, of which three blocks in a row are the
    /// taps of any input row in the order in which the registers want them.
    static constexpr int kTapBlocks = kTurns ? 5 : 3;
    static constexpr int kGroupFilters = kCellChannels / kFilterGroups;
    static constexpr int kColumns = 3 * kGroupFilters;          ///< N: the three vertical taps side by side
    static constexpr int kWeights = 9 * kChannels * kChannels;  ///< of a layer and term, in global memory
    static constexpr int kWeightPacks = kSteps * 2 * kTapBlocks * kCellChannels;  ///< .. of 8 in shared memory
    static constexpr int kLowWeights = kWeightPacks * 16;  ///< bytes from a high term to the low one
    static constexpr int kWeightBytes = kTerms * kLowWeights;
    static constexpr int kWeightOffset = 2 * kBufferBytes;
    static constexpr int kWordOffset = kWeightOffset + kWeightBuffers * kWeightBytes;
    static constexpr int kWords = kTerms == 2 ? 8 * kImages : 0;
    static constexpr int kSharedBytes = kWordOffset + 4 * kWords;
    static constexpr int kBandRows = kRows / kBands;  ///< of output, that a warpgroup computes

    /// Behind the last layer: half the side, up to twice the channels (kernels/warpgroup_exit.hpp).
    static constexpr int kExitSide = kSide / 2;
    static constexpr int kExitPixels = kExitSide * kExitSide;
    static constexpr int kExitSlotRows = kRows / 2;
    static constexpr int kExitUnits = kSlots * kExitSlotRows * kExitSide / 64;  ///< of 64 pixels
    static constexpr int kExitPlanes = 2 * kChannelPlanes;
    static constexpr bool kHasExit = kChannels < 64;

    static_assert(kSlots * kCells == 64 && kHalves * kImages == kSlots && kRows * kHalves == kSide);
    static_assert(kPair == 1 || (kPair == 2 && kChannels == 16));
    static_assert(kChannels % 16 == 0 && kRows % kBands == 0 && kBandRows % 2 == 0);
    static_assert(kExitUnits % kBands == 0);
    static_assert(kWeightBuffers == 2 || (kBands == 1 && kPair == 1));
    static_assert(kTerms == 1 || (kTerms == 2 && kPair == 1));
    static_assert(!kHasExit || kTerms == 2 || 2 * kExitPlanes * kImages * kExitPixels * 16 <= kBufferBytes);

    LOSSMAP_HD static constexpr int slot_of(int image, int half) { return half * kImages + image; }
    LOSSMAP_HD static constexpr int image_of(int slot) { return slot % kImages; }
    LOSSMAP_HD static constexpr int half_of(int slot) { return slot / kImages; }

    /// Byte of a cell in a buffer, plane 0. Cells -1 and kCells are zeros, rows -1 and kRows copies where there are
    /// halves.
    LOSSMAP_HD static constexpr int cell_offset(int slot, int y, int cell) {
        return (y + kHalo) * kRowBytes + (cell + 1) * kCellBytes + slot * 16;
    }
    /// Byte of 8 channels of a pixel.
    LOSSMAP_HD static constexpr int pixel_offset(int image, int y, int x, int plane) {
        return cell_offset(slot_of(image, y / kRows), y % kRows, x / kPair) +
               (x % kPair * kChannelPlanes + plane) * kPlaneBytes;
    }
    /// Bytes from a row of a slot to the copy of it that the neighbour keeps; 0: it keeps none.
    LOSSMAP_HD static constexpr int copy_distance(int slot, int y) {
        if (kHalo == 0) return 0;
        if (y == kRows - 1 && half_of(slot) + 1 < kHalves) return kImages * 16 - kRows * kRowBytes;
        if (y == 0 && half_of(slot) > 0) return kRows * kRowBytes - kImages * 16;
        return 0;
    }
    /// Byte of cell k of those that hold zeros.
    LOSSMAP_HD static constexpr int zero_offset(int k) {
        if (k < kBorderCells) return cell_offset(k % kSlots, k / kSlots - kHalo, -1);
        const int outer = k - kBorderCells, image = outer % kImages, cell = outer / kImages % kCells;
        return outer / (kImages * kCells) == 0 ? cell_offset(slot_of(image, 0), -1, cell)
                                               : cell_offset(slot_of(image, kHalves - 1), kRows, cell);
    }

    /// What a step of K reads: the cell to the left, this one or the one to the right (-1, 0, 1), and 16 of its
    /// channels.
    LOSSMAP_HD static constexpr int step_shift(int step) {
        return kPair == 2 ? (step + 1) / 2 - 1 : step / kChunks - 1;
    }
    LOSSMAP_HD static constexpr int step_chunk(int step) { return kPair == 2 ? (step + 1) % 2 : step % kChunks; }
    /// The step that holds a horizontal tap of a cell's first pixel.
    LOSSMAP_HD static constexpr int step_of(int tap, int chunk) { return kPair == 2 ? tap : tap * kChunks + chunk; }

    /// Bytes from where step 0 reads a row to where another step does, and the same of weights.
    LOSSMAP_HD static constexpr int pixel_distance(int step) {
        return pixels(0, 0, step).start - pixels(0, 0, 0).start;
    }
    LOSSMAP_HD static constexpr int weight_distance(int step, int first) {
        return weights(0, 0, step, first).start - weights(0, 0, 0, 0).start;
    }
    /// A: an input row.
    LOSSMAP_HD static constexpr MatrixLayout pixels(int buffer, int y, int step) {
        return {buffer + step_chunk(step) * 2 * kPlaneBytes + cell_offset(0, y, step_shift(step)), kPlaneBytes, 128};
    }
    /// The first block that holds a vertical tap; others may stand three further.
    LOSSMAP_HD static constexpr int tap_block(int tap) { return kTurns ? 2 - tap : tap; }
    /// B: weights of a step for a group of filters; columns begin with block `first`.
    LOSSMAP_HD static constexpr MatrixLayout weights(int buffer, int group, int step, int first) {
        return {kWeightOffset + buffer * kWeightBytes + weight_pack(step, 0, first, group * kGroupFilters) * 16,
                kTapBlocks * kGroupFilters * 16, 128};
    }
    /// Place of 8 weights of a layer in shared memory: [group of filters][step][half of its 16 channels][vertical
    /// tap][filter].
    LOSSMAP_HD static constexpr int weight_pack(int step, int plane, int block, int filter) {
        const int row = filter / kGroupFilters * kSteps * 2 + step * 2 + plane;
        return (row * kTapBlocks + block) * kGroupFilters + filter % kGroupFilters;
    }
    /// Where 8 weights of a layer in global memory, [3, 3, channels / 8, filters, 8], belong for a pixel of a cell.
    LOSSMAP_HD static constexpr int weight_place(int pack, int pixel) {
        constexpr int kRow = 3 * kChannelPlanes;  ///< horizontal taps and planes of a vertical tap
        const int filter = pack % kChannels, y = pack / kChannels / kRow, tap_plane = pack / kChannels % kRow;
        // A pair's second pixel has its taps one step further.
        return weight_pack(0, tap_plane + pixel * kChannelPlanes, tap_block(y), pixel * kChannels + filter);
    }
    /// Bytes to the other place of a vertical tap's weights; 0: there is one only.
    LOSSMAP_HD static constexpr int second_distance(int tap) { return kTurns && tap > 0 ? 3 * kGroupFilters * 16 : 0; }
    static constexpr int kSourcePacks = kWeights / 8;
    static constexpr int kSecondPacks = kTurns ? kSourcePacks * 2 / 3 : 0;
    /// Places that no weight belongs in, as their step's pixel is no neighbour of their filters': zeros.
    static constexpr int kZeroPacks = kWeightPacks - kPair * (kSourcePacks + kSecondPacks);
    LOSSMAP_HD static constexpr int zero_pack(int k) {
        // Of the first step for second pixels, of the last one for first ones.
        const int filter = k % kChannels, row = k / kChannels % (2 * kTapBlocks);
        const int pixel = 1 - k / kChannels / (2 * kTapBlocks);
        return weight_pack(pixel == 1 ? 0 : kSteps - 1, row / kTapBlocks, row % kTapBlocks, pixel * kChannels + filter);
    }

    /// Word k of an image.
    LOSSMAP_HD static constexpr int image_word(int image, int k) { return kWordOffset + 4 * (8 * image + k); }
    /// Two words that blocks of weights have in turns: what is known of one is read while the next one is computed
    /// with.
    LOSSMAP_HD static constexpr int storing_word(int image, int turn) { return image_word(image, 4 * turn); }
    LOSSMAP_HD static constexpr int weight_word(int image, int turn) { return image_word(image, 5 + turn); }

    /// A pixel that the exit writes: row `row` of unit `unit`'s 64.
    struct ExitPixel {
        int slot;
        int y;  ///< in the slot
        int x;
    };
    LOSSMAP_HD static constexpr ExitPixel exit_pixel(int unit, int row) {
        const int pixel = unit * (64 / kSlots) + row / kSlots;
        return {row % kSlots, pixel / kExitSide, pixel % kExitSide};
    }
    /// Byte of what the exit reads for a pixel: 8 channels of a tap; zeros outside the image.
    LOSSMAP_HD static constexpr int exit_source(ExitPixel pixel, int tap_y, int tap_x, int plane) {
        const int y = 2 * pixel.y + tap_y - 1;
        if (y < -kHalo) return cell_offset(0, 0, -1);
        // The left neighbour of a pair's first pixel is the second one of the pair to the left.
        const int cell = kPair == 2 ? pixel.x + (tap_x == 0 ? -1 : 0) : 2 * pixel.x + tap_x - 1;
        const int first = kPair == 2 && tap_x != 1 ? kChannelPlanes : 0;
        return cell_offset(pixel.slot, y, cell) + (first + plane) * kPlaneBytes;
    }
    /// Byte of 8 channels that the exit (tensor 0) or its shortcut (1) writes; `pixel` counts in the image.
    LOSSMAP_HD static constexpr int exit_offset(int tensor, int plane, int image, int pixel) {
        return (((tensor * kExitPlanes + plane) * kExitPixels + pixel) * kImages + image) * 16;
    }
};

/// The shapes that kernels exist for: the stages of a ResNet for images of 32 x 32 pixels, sized for 227 KB.
using Warpgroup16x32 = WarpgroupShape<16, 32, 2, 2, 2, 2, 1, 1>;
using Warpgroup32x16 = WarpgroupShape<32, 16, 4, 1, 2, 2, 1, 1>;
using Warpgroup64x8 = WarpgroupShape<64, 8, 8, 1, 2, 1, 2, 1>;
/// .. and where numbers are two f16.
using WarpgroupSplit16x32 = WarpgroupShape<16, 32, 1, 1, 2, 2, 1, 2>;
using WarpgroupSplit32x16 = WarpgroupShape<32, 16, 2, 1, 2, 1, 2, 2>;

/// Calls visit(Shape{}) for each of them.
template <typename Visit>
void for_each_warpgroup_shape(const Visit& visit) {
    visit(Warpgroup16x32{});
    visit(Warpgroup32x16{});
    visit(Warpgroup64x8{});
}
/// .. with numbers of two f16.
template <typename Visit>
void for_each_warpgroup_split_shape(const Visit& visit) {
    visit(WarpgroupSplit16x32{});
    visit(WarpgroupSplit32x16{});
}

}  // namespace lossmap::kernels
