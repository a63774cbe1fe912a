#pragma once

#include "core/host_device.hpp"

namespace lossmap::kernels {

/// Where a block that runs a stage (kernels/stage.hpp) keeps what: square planes of kSide x kSide pixels, kImages
/// images at a time, kWarps warps.
///
/// Channels stand in planes of 8, 16 bytes a pixel, so that the 8 pixels of a matrix row lie in 128 consecutive bytes
/// and no two of them share a bank, whatever tap shifts them. A pixel of zeros stands in front of every row and behind
/// the last one: the right border of a row is the left border of the next. Rows end in zeros where their length is no
/// multiple of 8; those of at most 8 pixels hold two images side by side. There are no rows of zeros: a row outside the
/// image adds nothing and is left out.
template <int kChannelsIn, int kSideIn, int kImagesIn, int kBandsIn, int kWarpsIn, int kMinBlocksIn>
struct StageShape {
    static constexpr int kChannels = kChannelsIn;
    static constexpr int kSide = kSideIn;
    static constexpr int kImages = kImagesIn;  ///< in a block
    static constexpr int kBands = kBandsIn;    ///< horizontal parts of an image that different warps work on
    static constexpr int kWarps = kWarpsIn;
    static constexpr int kMinBlocks = kMinBlocksIn;  ///< a multiprocessor, that registers are left for

    static constexpr int kPlanes = kChannels / 8;
    static constexpr int kPixels = kSide * kSide;
    static constexpr int kWidth = (kSide + 7) / 8 * 8;  ///< of a row of one image, with the zeros behind it
    static constexpr int kRowImages = kWidth < 16 ? 16 / kWidth : 1;
    static constexpr int kGroups = kImages / kRowImages;  ///< of images that share rows
    static constexpr int kPitch = kRowImages * (kWidth + 1);
    static constexpr int kRowBytes = kPitch * 16;
    static constexpr int kPlaneBytes = (kSide * kPitch + 1) * 16;
    static constexpr int kGroupBytes = kPlanes * kPlaneBytes;
    static constexpr int kBufferBytes = kGroups * kGroupBytes;
    static constexpr int kRowZeros = kWidth + 1 - kSide;                      ///< behind each image's row
    static constexpr int kBorderPixels = kSide * kRowImages * kRowZeros + 1;  ///< of zeros in a plane

    static constexpr int kWeights = 9 * kChannels * kChannels;  ///< of a layer
    static constexpr int kWeightBytes = 2 * kWeights;
    static constexpr int kWeightOffset = 2 * kBufferBytes;
    static constexpr int kSharedBytes = kWeightOffset + kWeightBytes;

    static constexpr int kChunks = kChannels / 16;         ///< of input channels, one matrix product deep
    static constexpr int kChannelGroups = kChannels / 16;  ///< of output channels; a warp computes one
    static constexpr int kStripWarps = kWarps / kChannelGroups;
    static constexpr int kColumns = kRowImages * kWidth / 16;
    static constexpr int kStrips = kGroups * kColumns * kBands;
    static constexpr int kStripsPerWarp = kStrips / kStripWarps;
    static constexpr int kBandRows = kSide / kBands;
    /// Registers of a lane that hold a warp's weights: all taps, all input channels, two tiles of 8 output channels.
    static constexpr int kWeightRegisters = 9 * kChunks * 4;

    /// Behind the last layer: half the side, up to twice the channels (kernels/stage_exit.hpp).
    static constexpr int kExitSide = kSide / 2;
    static constexpr int kExitPixels = kExitSide * kExitSide;
    static constexpr int kExitWidth = (kExitSide + 7) / 8 * 8;  ///< of a row, with what is computed and dropped
    static constexpr int kExitSegments = kImages * kExitWidth / 8;
    static constexpr int kExitUnits = kExitSegments / 2 * kExitSide;  ///< that are shared out to strip warps
    static constexpr bool kHasExit = kSide % 2 == 0 && kChannels < 64 && kExitSegments % 2 == 0;

    static_assert(!kHasExit || 4 * kPlanes * kImages * kExitPixels * 16 <= kBufferBytes);
    static_assert(kChannels % 16 == 0 && kRowImages * kWidth % 16 == 0);
    static_assert(kImages % kRowImages == 0 && kSide % kBands == 0);
    static_assert(kWarps % kChannelGroups == 0 && kStrips % kStripWarps == 0);

    /// 16 columns of pixels and a band of rows.
    struct Strip {
        int group;
        int column;
        int first_row;
    };
    LOSSMAP_HD static constexpr Strip strip(int index) {
        return {index / (kColumns * kBands), index % kColumns, index / kColumns % kBands * kBandRows};
    }

    /// Pixels of a row that stand in front of 8 consecutive ones, the border excluded. Segment 2 c + h is half h of
    /// column c.
    LOSSMAP_HD static constexpr int segment_pixel(int segment) {
        return segment * 8 / kWidth * (kWidth + 1) + segment * 8 % kWidth;
    }
    /// Image of its group that a segment belongs to, and pixels of it that are the image's.
    LOSSMAP_HD static constexpr int segment_image(int segment) { return segment * 8 / kWidth; }
    LOSSMAP_HD static constexpr int segment_length(int segment) {
        const int rest = kSide - segment * 8 % kWidth;
        return rest < 8 ? rest : 8;
    }

    /// Byte of a pixel of one image in a buffer, plane 0.
    LOSSMAP_HD static constexpr int pixel_offset(int image, int pixel) {
        return image / kRowImages * kGroupBytes +
               (1 + pixel / kSide * kPitch + image % kRowImages * (kWidth + 1) + pixel % kSide) * 16;
    }
    /// Image, and first pixel of its row, of 8 pixels that the exit writes.
    LOSSMAP_HD static constexpr int exit_segment_image(int segment) { return segment * 8 / kExitWidth; }
    LOSSMAP_HD static constexpr int exit_segment_pixel(int segment) { return segment * 8 % kExitWidth; }
    /// Byte of what the exit reads for a row of a matrix of plane 0 or 1: the left neighbour of a pixel in the first
    /// row. Rows 4 to 7 read the other plane. Pixels behind the row's end read what its last one reads, and are
    /// dropped.
    LOSSMAP_HD static constexpr int exit_row_offset(int segment, int row, int plane) {
        const int wanted = exit_segment_pixel(segment) + row;
        const int pixel = wanted < kExitSide ? wanted : kExitSide - 1;
        return (row < 4 ? plane : 1 - plane) * kPlaneBytes + pixel_offset(exit_segment_image(segment), 2 * pixel) - 16;
    }
    /// Byte of a pixel that the exit (tensor 0) or its shortcut (1) writes.
    LOSSMAP_HD static constexpr int exit_offset(int tensor, int plane, int image, int pixel) {
        return (((tensor * 2 * kPlanes + plane) * kImages + image) * kExitPixels + pixel) * 16;
    }

    /// Byte of border pixel k of a plane.
    LOSSMAP_HD static constexpr int border_offset(int k) {
        // The first pixel, then what stands behind the rows.
        return k == 0 ? 0 : (1 + (k - 1) / kRowZeros * (kWidth + 1) + kSide + (k - 1) % kRowZeros) * 16;
    }

    /// Place of a weight in a layer's block: [tap][plane of input channels][filter][8 input channels].
    LOSSMAP_HD static constexpr int weight_index(int tap, int filter, int channel) {
        return ((tap * kPlanes + channel / 8) * kChannels + filter) * 8 + channel % 8;
    }
    /// First of the four registers that hold a tap's products with 16 input channels.
    LOSSMAP_HD static constexpr int weight_register(int tap, int chunk) { return (tap * kChunks + chunk) * 4; }
};

/// The shapes that kernels exist for: the stages of a ResNet for images of 32 x 32 and of 28 x 28 pixels, sized for 227
/// KB of shared memory, the last one for 163 KB, too; and those of narrow networks (up to 16 channels) for 28 x 28.
using Stage16x32 = StageShape<16, 32, 1, 2, 4, 3>;
using Stage32x16 = StageShape<32, 16, 2, 1, 4, 2>;
using Stage64x8 = StageShape<64, 8, 8, 1, 8, 1>;
using Stage64x8Small = StageShape<64, 8, 4, 1, 8, 1>;
using Stage16x28 = StageShape<16, 28, 1, 2, 4, 3>;
using Stage32x14 = StageShape<32, 14, 2, 1, 4, 2>;
using Stage64x7 = StageShape<64, 7, 8, 1, 8, 1>;
using Stage16x14 = StageShape<16, 14, 4, 1, 4, 3>;
using Stage16x7 = StageShape<16, 7, 8, 1, 4, 3>;

}  // namespace lossmap::kernels
