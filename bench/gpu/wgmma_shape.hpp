#pragma once

#include <cstdint>

#include "core/host_device.hpp"

/// Shared memory as `wgmma` sees it, and a stage's activations and weights laid out for it. Plain arithmetic, tested on
/// the host; docs/decisions/0019-wgmma-prototype.md says what it is for.
namespace lossmap::bench {

/// A K-major operand without swizzle (PTX ISA, "Strides" and "Matrix descriptor format" of wgmma): matrices of 8 rows
/// by 8 f16, 128 bytes each, `leading` bytes from one to the next along K, `stride` bytes along M or N.
struct MatrixLayout {
    int start = 0;  ///< byte of the first element
    int leading = 0;
    int stride = 0;

    /// Byte of an element; `row` counts along M or N.
    [[nodiscard]] LOSSMAP_HD constexpr int offset(int row, int k) const {
        return start + row / 8 * stride + row % 8 * 16 + k / 8 * leading + k % 8 * 2;
    }
    /// The 64 bits that the instruction takes; `base`: address of what `start` counts from.
    [[nodiscard]] LOSSMAP_HD constexpr std::uint64_t descriptor(std::uint32_t base) const {
        return field(static_cast<std::uint32_t>(start) + base, 0) | field(static_cast<std::uint32_t>(leading), 16) |
               field(static_cast<std::uint32_t>(stride), 32);
    }
    [[nodiscard]] static constexpr MatrixLayout of(std::uint64_t descriptor) {
        const auto bytes = [&](int shift) { return static_cast<int>(descriptor >> shift & 0x3fff) << 4; };
        return {bytes(0), bytes(16), bytes(32)};
    }

private:
    [[nodiscard]] LOSSMAP_HD static constexpr std::uint64_t field(std::uint32_t bytes, int shift) {
        return static_cast<std::uint64_t>((bytes & 0x3ffff) >> 4) << shift;
    }
};

/// Which element of [64, N] sums a thread of the warpgroup holds (PTX ISA, "Register fragments for wgmma.m64nNk16").
struct SumPlace {
    int row;
    int column;
};
LOSSMAP_HD constexpr SumPlace wgmma_sum_place(int thread, int index) {
    return {thread / 32 * 16 + thread % 32 / 4 + index / 2 % 2 * 8, index / 4 * 8 + thread % 4 * 2 + index % 2};
}

/// Square planes whose rows are 64 pixels together: kImages images, innermost, so that a pixel to the right is kImages
/// units of 16 bytes further and a row is one operand whatever the horizontal tap. Channels stand in planes of 8, 16
/// bytes a pixel. A pixel of zeros stands in front of every row and behind the last one.
template <int kChannelsIn, int kSideIn, int kWarpgroupsIn, int kWeightBuffersIn>
struct WgmmaShape {
    static constexpr int kChannels = kChannelsIn;
    static constexpr int kSide = kSideIn;
    static constexpr int kRow = 64;               ///< pixels of a row, all images; M of the product
    static constexpr int kImages = kRow / kSide;  ///< in a block
    static constexpr int kWarpgroups = kWarpgroupsIn;
    static constexpr int kWeightBuffers = kWeightBuffersIn;  ///< 2: the next layer's weights are fetched under this one
    static constexpr int kThreads = kWarpgroups * 128;

    static constexpr int kPlanes = kChannels / 8;
    static constexpr int kPixels = kSide * kSide;
    static constexpr int kRowBytes = (kSide + 1) * kImages * 16;
    static constexpr int kPlaneBytes = kSide * kRowBytes + kImages * 16;
    static constexpr int kBufferBytes = kPlanes * kPlaneBytes;
    static constexpr int kBorderPixels = (kSide + 1) * kImages;

    /// N of the product: the three vertical taps side by side.
    static constexpr int kColumns = 3 * kChannels;
    static constexpr int kWeights = 9 * kChannels * kChannels;
    static constexpr int kWeightBytes = 2 * kWeights;
    static constexpr int kWeightOffset = 2 * kBufferBytes;
    static constexpr int kSharedBytes = kWeightOffset + kWeightBuffers * kWeightBytes;
    static constexpr int kBandRows = kSide / kWarpgroups;  ///< of output, that a warpgroup computes

    static_assert(kRow % kSide == 0 && kSide % kWarpgroups == 0 && kChannels % 16 == 0);

    /// Byte of a pixel in a buffer, plane 0; x = -1 and x = kSide are zeros.
    LOSSMAP_HD static constexpr int pixel_offset(int image, int y, int x) {
        return y * kRowBytes + ((x + 1) * kImages + image) * 16;
    }
    LOSSMAP_HD static constexpr int border_offset(int k) {
        return pixel_offset(k % kImages, k / kImages, -1);  // that of row kSide is the one behind the last row
    }
    /// Where a pixel of a row stands in the product.
    LOSSMAP_HD static constexpr int row_of(int image, int x) { return x * kImages + image; }

    /// A: an input row, `tap` 0, 1, 2 from left to right, 16 channels.
    LOSSMAP_HD static constexpr MatrixLayout pixels(int buffer, int y, int tap, int chunk) {
        return {buffer + chunk * 2 * kPlaneBytes + pixel_offset(0, y, tap - 1), kPlaneBytes, 128};
    }
    /// B: weights of a horizontal tap and 16 channels; columns begin with vertical tap `first`.
    LOSSMAP_HD static constexpr MatrixLayout weights(int buffer, int tap, int chunk, int first) {
        return {kWeightOffset + buffer * kWeightBytes + 2 * weight_index(first, tap, 0, chunk * 16), kColumns * 16,
                128};
    }
    /// Place of a weight in a layer's block: [horizontal tap][plane of channels][vertical tap][filter][8 channels].
    LOSSMAP_HD static constexpr int weight_index(int y, int x, int filter, int channel) {
        return ((x * kPlanes + channel / 8) * kColumns + y * kChannels + filter) * 8 + channel % 8;
    }
};

/// What is tried: the stages of a ResNet for CIFAR-10, with two warpgroups and, where registers allow, four.
template <typename Visit>
void for_each_wgmma_shape(const Visit& visit) {
    visit(WgmmaShape<16, 32, 2, 2>{});
    visit(WgmmaShape<16, 32, 4, 2>{});
    visit(WgmmaShape<32, 16, 2, 2>{});
    visit(WgmmaShape<32, 16, 4, 2>{});
    visit(WgmmaShape<64, 8, 2, 1>{});
}

}  // namespace lossmap::bench
