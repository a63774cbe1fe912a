#include <cmath>
#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "kernels/split_stage.hpp"

// How the kernel for split products takes numbers apart, and where it keeps what.
namespace lossmap::kernels {
namespace {

TEST(SplitPair, HoldsTwentyTwoBitsOfWhatIsLargeEnough) {
    for (int exponent = -50; exponent < 16; ++exponent) {
        for (const float mantissa : {1.0F, 1.3333333F, -1.7182818F, 1.9999999F}) {
            const float value = std::ldexp(mantissa, exponent);
            const SplitPair pair = split_pair(value, -value);
            const double bound = std::fmax(std::ldexp(std::abs(static_cast<double>(value)), -23), kSplitStep);
            const auto first = static_cast<double>(joined(first_half(pair.high), first_half(pair.low)));
            const auto second = static_cast<double>(joined(second_half(pair.high), second_half(pair.low)));
            EXPECT_EQ(std::isinf(first_half(pair.high)), magnitude_bits(value) >= magnitude_bits(kSplitBeyond));
            if (std::isinf(first_half(pair.high))) continue;
            EXPECT_LE(std::abs(first - static_cast<double>(value)), bound) << value;
            EXPECT_EQ(second, -first);
            EXPECT_EQ(float_to_half(low_part(value)), pair.low & 0xffffu);
        }
    }
    // Larger magnitudes have larger bits, NaN the largest.
    const float rising[] = {0.0F, 1e-40F, 0x1p-14F, -1.0F, 65519.0F, -65520.0F, INFINITY, -NAN};
    EXPECT_EQ(magnitude_bits(-0.0F), 0u);
    for (int k = 1; k < 8; ++k)
        EXPECT_LT(magnitude_bits(rising[k - 1]), magnitude_bits(rising[k]));
    EXPECT_EQ(magnitude_of(magnitude_bits(-3.5F)), 3.5F);
}

TEST(SplitShape, EveryRegisterHoldsOneThing) {
    for_each_split_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> firsts;
        for (int tap = 0; tap < 9; ++tap) {
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                for (int part = 0; part < 2; ++part) {
                    for (int tile = 0; tile < Shape::kTiles; ++tile)
                        firsts.insert(Shape::weight_register(tap, chunk, part, tile));
                }
            }
        }
        EXPECT_EQ(static_cast<int>(firsts.size()), Shape::kWeightRegisters / 2);
        EXPECT_EQ(*firsts.rbegin(), Shape::kWeightRegisters - 2);
        EXPECT_EQ(Shape::kWordOffset, 4 * Shape::kBufferBytes + 2 * Shape::kWeightBytes);
        EXPECT_LE(Shape::kUsedWeight + 4, Shape::kSharedBytes);
        EXPECT_EQ(Shape::image_word(Shape::kImages - 1, 3) + 4, Shape::kFetchedWeight);
        EXPECT_LE(Shape::kSharedBytes, 227 * 1024);
    });
}

TEST(SplitShape, TheThirdStageNeedsAHopper) {
    const auto fit = [](std::int64_t channels, std::int64_t side, int kilobytes) {
        const StageFit found = split_fit(channels, side, std::int64_t{kilobytes} << 10);
        return std::pair(found.channels, found.tile_images);
    };
    EXPECT_EQ(fit(16, 32, 227), std::pair(16, 1));
    EXPECT_EQ(fit(32, 16, 227), std::pair(32, 2));
    EXPECT_EQ(fit(64, 8, 227), std::pair(64, 2));
    EXPECT_EQ(fit(16, 32, 163), std::pair(16, 1));
    EXPECT_EQ(fit(32, 16, 163), std::pair(0, 0));
    EXPECT_EQ(fit(64, 8, 163), std::pair(0, 0));
    EXPECT_EQ(fit(16, 32, 99), std::pair(0, 0));
    EXPECT_EQ(fit(16, 28, 227), std::pair(0, 0));
}

}  // namespace
}  // namespace lossmap::kernels
