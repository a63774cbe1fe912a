#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "kernels/kernel_table.hpp"

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

/// Calls visit(Shape{}) for those of fp32 and of tf32.
template <typename Visit>
void for_each_shape(const Visit& visit) {
    for_each_split_shape(visit);
    for_each_tf32_shape(visit);
}

TEST(SplitShape, EveryRegisterHoldsOneThing) {
    for_each_shape([](auto shape) {
        using Shape = decltype(shape);
        std::set<int> firsts;
        for (int tap = 0; tap < 9; ++tap) {
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                for (int part = 0; part < Shape::kHalves; ++part) {
                    for (int tile = 0; tile < Shape::kTiles; ++tile)
                        firsts.insert(Shape::weight_register(tap, chunk, part, tile));
                }
            }
        }
        EXPECT_EQ(static_cast<int>(firsts.size()), Shape::kWeightRegisters / 2);
        EXPECT_EQ(*firsts.rbegin(), Shape::kWeightRegisters - 2);
        const int buffers = Shape::kThreeProducts ? 4 : 3;
        EXPECT_EQ(Shape::kBiasOffset, buffers * Shape::kBufferBytes + Shape::kHalves * Shape::kWeightBytes);
        EXPECT_EQ(Shape::kWordOffset, Shape::kBiasOffset + 4 * Shape::kChannels);
        std::set<int> halves;  // of both buffers
        for (const int buffer : {0, Shape::kBufferStride}) {
            halves.insert(buffer);
            halves.insert(Shape::low_of(buffer));
        }
        EXPECT_EQ(static_cast<int>(halves.size()), buffers);
        EXPECT_EQ(*halves.rbegin() + Shape::kBufferBytes, Shape::kWeightOffset);
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
    // With half of the weights and three quarters of the activations: as many images as the memory holds.
    for (const auto& [channels, side, images] : {std::tuple{16, 32, 1}, {32, 16, 4}, {64, 8, 4}})
        EXPECT_EQ(tf32_fit(channels, side, std::int64_t{227} << 10).tile_images, images);
    EXPECT_EQ(tf32_fit(16, 32, std::int64_t{113} << 10).tile_images, 1) << "two blocks a multiprocessor";
    EXPECT_EQ(tf32_fit(32, 16, std::int64_t{163} << 10).tile_images, 0);
}

/// Layers that a stage with one low buffer computes.
TEST(SplitShape, OneLowBufferIsKeptForWhatIsAdded) {
    StageArgs args;
    args.layers = 6;
    const std::uint8_t kinds[] = {kStageAddPrevious, 0, kStageAddPrevious, kStageAddInput, 0, kStageAddPrevious};
    std::copy(std::begin(kinds), std::end(kinds), args.kinds);
    const auto kept = [&] {
        std::vector<bool> result;
        for (int layer = 0; layer < args.layers; ++layer)
            result.push_back(keeps_low<Rounded16x32>(args, layer));
        return result;
    };
    EXPECT_EQ(kept(), (std::vector{true, false, true, true, false, false}));
    float out = 0.0F;
    args.out.data = &out;
    EXPECT_EQ(kept(), (std::vector{true, false, true, true, false, true}));
    EXPECT_TRUE(keeps_low<Split16x32>(args, 1));
    for (const std::uint8_t other : {std::uint8_t{0}, std::uint8_t{kStageRelu}, std::uint8_t{kStageAddInput}}) {
        EXPECT_FALSE(skips_cross(kStageAddPrevious, other));
        EXPECT_FALSE(skips_cross(other, kStageAddPrevious));
    }
    EXPECT_TRUE(skips_cross(kStageAddPrevious, kStageAddPrevious | kStageRelu));
    args.in.type = args.out.type = DType::f32;
    args.weights.type = DType::f16;
    args.channels = args.in_channels = args.out_channels = 16;
    args.kinds[1] = kStageAddPrevious;
    args.residual = args.in;
    args.residual.data = args.out.data;
    EXPECT_THROW(host_kernels().tf32_stage(args, {}), InternalError);
    args.kinds[1] = kStageAddInput | kStageAddPrevious;
    EXPECT_THROW(host_kernels().tf32_stage(args, {}), InternalError);
}

}  // namespace
}  // namespace lossmap::kernels
