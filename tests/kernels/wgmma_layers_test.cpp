#include <array>
#include <cmath>
#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "bench/gpu/host_warpgroup.hpp"
#include "bench/gpu/wgmma_layers.hpp"
#include "core/error.hpp"

// The prototype of a stage on wgmma: how descriptors address shared memory, the layout, and what the three vertical
// taps side by side add up to.
namespace lossmap::bench {
namespace {

using kernels::Half;

TEST(MatrixLayout, IsWhatItsDescriptorSays) {
    const MatrixLayout layout{0x12340, 0x8420, 0x80};
    const MatrixLayout again = MatrixLayout::of(layout.descriptor(0x10));
    EXPECT_EQ(again.start, 0x12350);
    EXPECT_EQ(again.leading, 0x8420);
    EXPECT_EQ(again.stride, 0x80);
    // As written out by hand: address / 16 in bits 0 to 13, the other two from bits 16 and 32 on, no swizzle in 62
    // and 63.
    EXPECT_EQ(layout.descriptor(0), 0x12340u / 16 | std::uint64_t{0x842} << 16 | std::uint64_t{8} << 32);
    // 8 rows of 16 bytes follow each other.
    EXPECT_EQ(layout.offset(0, 7), 0x12340 + 14);
    EXPECT_EQ(layout.offset(7, 0), 0x12340 + 112);
    EXPECT_EQ(layout.offset(9, 8), 0x12340 + 0x80 + 16 + 0x8420);
}

TEST(MatrixLayout, EveryThreadHoldsItsOwnSums) {
    std::set<std::pair<int, int>> places;
    for (int thread = 0; thread < 128; ++thread) {
        for (int index = 0; index < 24; ++index)
            places.emplace(wgmma_sum_place(thread, index).row, wgmma_sum_place(thread, index).column);
    }
    EXPECT_EQ(places.size(), 64u * 48u);
    EXPECT_EQ(*places.rbegin(), std::pair(63, 47));
}

TEST(WgmmaShape, OperandsAreThePixelsAndWeightsMeant) {
    for_each_wgmma_shape([](auto shape) {
        using Shape = decltype(shape);
        for (int tap = 0; tap < 3; ++tap) {
            const MatrixLayout a = Shape::pixels(Shape::kBufferBytes, 3, tap, 0);
            for (int image = 0; image < Shape::kImages; ++image) {
                for (int x = 0; x < Shape::kSide; ++x) {
                    const int from = x + tap - 1, row = Shape::row_of(image, x);
                    EXPECT_EQ(a.offset(row, 11),
                              Shape::kBufferBytes + Shape::pixel_offset(image, 3, from) + Shape::kPlaneBytes + 3 * 2);
                }
            }
            const MatrixLayout b = Shape::weights(Shape::kWeightBuffers - 1, tap, 0, 1);
            const int buffer = Shape::kWeightOffset + (Shape::kWeightBuffers - 1) * Shape::kWeightBytes;
            EXPECT_EQ(b.offset(5, 9), buffer + 2 * Shape::weight_index(1, tap, 5, 9));
            EXPECT_EQ(b.offset(Shape::kChannels + 5, 9), buffer + 2 * Shape::weight_index(2, tap, 5, 9));
        }
        EXPECT_LE(Shape::kSharedBytes, 227 * 1024);
        // What the descriptors have bits for.
        EXPECT_LT(Shape::kSharedBytes, 1 << 18);
        // Left of a row and right of the one above it are the same zeros.
        EXPECT_EQ(Shape::pixel_offset(0, 2, Shape::kSide), Shape::pixel_offset(0, 3, -1));
        std::set<int> places;
        for (int image = 0; image < Shape::kImages; ++image) {
            for (int pixel = 0; pixel < Shape::kPixels; ++pixel)
                places.insert(Shape::pixel_offset(image, pixel / Shape::kSide, pixel % Shape::kSide));
        }
        for (int k = 0; k < Shape::kBorderPixels; ++k)
            places.insert(Shape::border_offset(k));
        EXPECT_EQ(static_cast<int>(places.size()) * 16, Shape::kPlaneBytes);
        EXPECT_EQ(*places.rbegin() + 16, Shape::kPlaneBytes);
    });
}

/// A product through descriptors against the sum on paper, with rows that are not where their neighbours' are.
TEST(HostWarpgroup, MultipliesWhatDescriptorsPointAt) {
    std::vector<std::byte> shared(32768);
    for (std::size_t k = 0; k < shared.size() / 2; ++k) {
        const std::uint16_t bits = float_to_half(static_cast<float>(k * 37 % 11) - 5.0F);
        std::memcpy(shared.data() + 2 * k, &bits, 2);
    }
    std::vector<std::byte> seen = shared;
    const MatrixLayout a{160, 4096, 256}, b{8224, 1024, 128};
    for (const bool late : {false, true}) {
        HostWarpgroup group(0, shared, seen, late);
        HostWarpgroup::Registers<float, 8> sums;
        group.multiply(sums, a, b, false);
        group.multiply(sums, a, b, true);
        EXPECT_EQ(std::isnan(sums.at(5, 4)), late);
        group.finish(sums);
        for (int thread = 0; thread < 128; ++thread) {
            for (int index = 0; index < 8; ++index) {
                const int row = thread / 32 * 16 + thread % 32 / 4 + (index & 2 ? 8 : 0);
                const int column = index / 4 * 8 + thread % 4 * 2 + index % 2;
                float expected = 0.0F;
                for (int k = 0; k < 16; ++k) {
                    const int left = 160 + row / 8 * 256 + row % 8 * 16 + k / 8 * 4096 + k % 8 * 2;
                    const int right = 8224 + column / 8 * 128 + column % 8 * 16 + k / 8 * 1024 + k % 8 * 2;
                    expected += 2.0F * static_cast<float>((left / 2 * 37 % 11 - 5) * (right / 2 * 37 % 11 - 5));
                }
                ASSERT_EQ(sums.at(thread, index), expected);
            }
        }
    }
    HostWarpgroup group(0, shared, seen, false);
    HostWarpgroup::Registers<float, 8> sums;
    EXPECT_THROW((group.multiply(sums, {32768 - 64, 128, 128}, b, false)), InternalError);
}

TEST(HostWarpgroup, ProductsDoNotSeeWhatWasNotPublished) {
    std::vector<std::byte> shared(4096), seen = shared;
    HostWarpgroup group(0, shared, seen, false);
    const std::uint32_t ones = 0x3c003c00u;
    for (int offset = 0; offset < 4096; offset += 4)
        group.store(offset, ones);
    HostWarpgroup::Registers<float, 4> sums;
    group.multiply(sums, {0, 1024, 128}, {2048, 128, 128}, false);
    EXPECT_EQ(sums.at(0, 0), 0.0F);
    group.publish();
    group.multiply(sums, {0, 1024, 128}, {2048, 128, 128}, false);
    EXPECT_EQ(sums.at(0, 0), 16.0F);
}

/// Small integers, so that every sum is exact.
template <typename Shape>
struct Problem {
    struct alignas(16) Pack {
        Half values[8];
    };
    static constexpr int kLayers = 3, kSamples = Shape::kImages + 1;

    std::vector<Pack> in, weights;
    std::vector<float> bias, plain_weights;

    Problem()
        : in(kSamples * Shape::kPixels * Shape::kPlanes),
          weights(kLayers * Shape::kWeights / 8),
          bias(kLayers * Shape::kChannels),
          plain_weights(kLayers * Shape::kWeights) {
        for (std::size_t k = 0; k < in.size() * 8; ++k)
            in[k / 8].values[k % 8] = {float_to_half(static_cast<float>(k * 2654435761u % 1009 % 7) - 3.0F)};
        for (std::size_t k = 0; k < bias.size(); ++k)
            bias[k] = static_cast<float>(k * 40503u % 5) - 2.0F;
        for (int layer = 0; layer < kLayers; ++layer) {
            for (int filter = 0; filter < Shape::kChannels; ++filter) {
                for (int k = 0; k < 9 * Shape::kChannels; ++k) {
                    const std::uint32_t random =
                        static_cast<std::uint32_t>((layer * 64 + filter) * 1021 + k) * 2654435761u;
                    const float value = random >> 16 & 15 ? 0.0F : random >> 20 & 1 ? 1.0F : -1.0F;
                    const int channel = k / 9, y = k % 9 / 3, x = k % 3;
                    plain(layer, filter, channel, y, x) = value;
                    const std::size_t at = static_cast<std::size_t>(layer) * Shape::kWeights +
                                           static_cast<std::size_t>(Shape::weight_index(y, x, filter, channel));
                    weights[at / 8].values[at % 8] = {float_to_half(value)};
                }
            }
        }
    }

    float& plain(int layer, int filter, int channel, int y, int x) {
        return plain_weights[static_cast<std::size_t>(
            (((layer * Shape::kChannels + filter) * Shape::kChannels + channel) * 3 + y) * 3 + x)];
    }

    std::vector<float> expected() {
        std::vector<float> values(in.size() * 8);
        for (std::size_t k = 0; k < values.size(); ++k)
            values[k] = half_to_float(in[k / 8].values[k % 8].bits);
        for (int layer = 0; layer < kLayers; ++layer) {
            const std::vector<float> from = values;
            for (std::size_t k = 0; k < values.size(); ++k)
                values[k] = std::fmax(half_to_float(float_to_half(sum(from, static_cast<int>(k), layer))), 0.0F);
        }
        return values;
    }

    float sum(const std::vector<float>& from, int k, int layer) {
        constexpr int kSide = Shape::kSide, kChannels = Shape::kChannels;
        const int filter = k % kChannels, x = k / kChannels % kSide, y = k / kChannels / kSide % kSide;
        const int image = k / kChannels / Shape::kPixels;
        float total = bias[static_cast<std::size_t>(layer * kChannels + filter)];
        for (int tap = 0; tap < 9; ++tap) {
            const int from_y = y + tap / 3 - 1, from_x = x + tap % 3 - 1;
            if (from_y < 0 || from_y >= kSide || from_x < 0 || from_x >= kSide) continue;
            for (int channel = 0; channel < kChannels; ++channel) {
                const int at = ((image * kSide + from_y) * kSide + from_x) * kChannels + channel;
                total += from[static_cast<std::size_t>(at)] * plain(layer, filter, channel, tap / 3, tap % 3);
            }
        }
        return total;
    }
};

TEST(WgmmaLayers, AgreeWithAConvolution) {
    for_each_wgmma_shape([](auto shape) {
        using Shape = decltype(shape);
        Problem<Shape> problem;
        const std::vector<float> expected = problem.expected();
        for (const bool late : {false, true}) {
            std::vector<typename Problem<Shape>::Pack> out(problem.in.size());
            WgmmaArgs args{problem.in[0].values, problem.weights[0].values, problem.bias.data(),
                           out[0].values,        Problem<Shape>::kSamples,  Problem<Shape>::kLayers};
            for (std::int64_t tile = 0; tile < 2; ++tile) {
                HostWarpgroupBlock<Shape> block(late);
                WgmmaLayers<Shape>{args}.run(block, tile);
            }
            float largest = 0.0F;
            for (std::size_t k = 0; k < expected.size(); ++k) {
                ASSERT_EQ(half_to_float(out[k / 8].values[k % 8].bits), expected[k])
                    << Shape::kChannels << " channels, element " << k;
                largest = std::fmax(largest, expected[k]);
            }
            EXPECT_GT(largest, 0.0F);
        }
    });
}

}  // namespace
}  // namespace lossmap::bench
