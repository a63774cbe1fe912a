// How many points and samples go through a pass: what launches, memory and filling up ask for.
#include "cuda/backend/pass_model.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace lossmap::cuda {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

/// An H100 with room for everything that matters.
PassLimits large_device() {
    PassLimits limits;
    limits.memory_bytes = 70 * kGiB;
    limits.pass_bytes = 2 * kGiB;
    limits.cache_bytes = 50 << 20;
    limits.most_points = 1024;
    limits.most_samples = 1024;
    limits.total_points = 51 * 51;
    limits.chunk_samples = 1000;
    return limits;
}

/// 784 - 512 - 10 in fp32: products over all points at once, a dozen launches.
PassCosts mlp() {
    PassCosts costs;
    costs.weight_bytes = 2 * 407'050 * 4;
    costs.evaluation_bytes = (784 + 2 * 512 + 10) * 4;
    costs.traffic_bytes = (2 * 784 + 3 * 512 + 30) * 4;
    costs.widest_bytes = (784 + 512) * 4;
    costs.launches = 6;
    return costs;
}

/// LeNet on 28 x 28: two convolutions once a point.
PassCosts lenet() {
    PassCosts costs;
    costs.weight_bytes = 2 * 61'706 * 4;
    costs.evaluation_bytes = 2 * 6 * 28 * 28 * 4;
    costs.traffic_bytes = 6 * 6 * 28 * 28 * 4;
    costs.widest_bytes = 2 * 6 * 28 * 28 * 4;
    costs.launches = 8;
    costs.point_launches = 2;
    return costs;
}

/// A ResNet layer by layer in fp16: 60 convolutions once a point, each 65 KB in and out an image.
PassCosts resnet() {
    PassCosts costs;
    costs.weight_bytes = 2 * 855'770 * 2;
    costs.evaluation_bytes = 3 * 16 * 32 * 32 * 2;
    costs.traffic_bytes = 60 * 2 * 16 * 32 * 32 * 2;
    costs.widest_bytes = 2 * 16 * 32 * 32 * 2;
    costs.launches = 60;
    costs.point_launches = 57;
    return costs;
}

PassSize best(const PassCosts& costs, const PassLimits& limits) { return ranked_sizes(costs, limits).front(); }

/// Seconds an evaluation of one point at a time takes over those of a size.
double gain(const PassCosts& costs, PassLimits limits, const PassSize& size) {
    const double chosen = estimated_seconds(costs, limits, size);
    limits.fixed_points = 1;
    return estimated_seconds(costs, limits, best(costs, limits)) / chosen;
}

TEST(PassModel, LaunchesAreSpreadOverManyPoints) {
    // With a few samples a launch is most of a pass of one point.
    PassLimits few = large_device();
    few.chunk_samples = 32;
    const PassSize size = best(mlp(), few);
    EXPECT_GE(size.points, 100);
    EXPECT_GT(gain(mlp(), few, size), 50.0);
    // Convolutions are launched once a point all the same: their share is spread over samples alone.
    const PassSize convolutions = best(lenet(), few);
    EXPECT_GT(convolutions.points, 1);
    EXPECT_EQ(convolutions.samples, 32);
}

TEST(PassModel, ConvolutionsOncePerPointWantSamplesNotPoints) {
    const PassSize size = best(resnet(), large_device());
    EXPECT_GE(size.samples, 125);
    EXPECT_LE(size.points * size.samples * resnet().evaluation_bytes, 2 * kGiB);
}

TEST(PassModel, StagesWantManyRoundsOfBlocks) {
    PassCosts costs = resnet();
    costs.launches = 16;
    costs.point_launches = 3;
    costs.stage_launches = 4;
    costs.traffic_bytes /= 6;
    const PassSize size = best(costs, large_device());
    EXPECT_GE(size.points * size.samples, 8 * 132 * 8) << "rounds, multiprocessors, images a block";
}

TEST(PassModel, WhenNothingIsWonThePassStaysSmall) {
    PassCosts costs = resnet();
    costs.launches = costs.point_launches = 0;
    PassLimits limits = large_device();
    limits.cache_bytes = 0;
    EXPECT_EQ(best(costs, limits), (PassSize{1, 1}));
}

TEST(PassModel, ACacheThatHoldsAnOperationIsUsed) {
    PassCosts costs = resnet();
    costs.launches = costs.point_launches = 1;
    const PassSize size = best(costs, large_device());
    EXPECT_LE(2 * size.points * size.samples * costs.widest_bytes, large_device().cache_bytes);
    EXPECT_GT(size.points * size.samples, 64);
}

TEST(PassModel, PassesAreFilled) {
    // 1,000 samples in tiles of 1,000, 500, 256, .., not in 1,024; 51 points in one pass, not in 64.
    PassLimits line = large_device();
    line.total_points = 51;
    for (const PassCosts& costs : {mlp(), lenet(), resnet()}) {
        const PassSize size = best(costs, line);
        const std::int64_t tiles = (1000 + size.samples - 1) / size.samples;
        const std::int64_t blocks = (51 + size.points - 1) / size.points;
        EXPECT_LE(tiles * size.samples, 1050) << size.samples;
        EXPECT_LE(blocks * size.points, 56) << size.points;
    }
    line.chunk_samples = 7;
    line.total_points = 1;
    EXPECT_EQ(best(mlp(), line).points, 1);
    EXPECT_LE(best(mlp(), line).samples, 8);
}

TEST(PassModel, MemoryIsKeptAndDoesNotGrowWithTheGrid) {
    PassLimits limits = large_device();
    for (const std::int64_t memory : {kGiB / 16, kGiB / 4, kGiB}) {
        limits.memory_bytes = memory;
        for (const PassSize& size : ranked_sizes(lenet(), limits)) {
            EXPECT_LE(size.points * (lenet().weight_bytes + size.samples * lenet().evaluation_bytes), memory);
            EXPECT_LE(size.points, limits.most_points);
        }
    }
    limits.total_points = 4001 * 4001;
    const PassSize huge = best(lenet(), limits);
    limits.total_points = 401 * 401;
    EXPECT_EQ(huge.points, best(lenet(), limits).points);
}

TEST(PassModel, WhatIsFixedStaysAndTheSmallestAlwaysGoes) {
    PassLimits limits = large_device();
    limits.fixed_points = 3;
    limits.fixed_samples = 17;
    EXPECT_EQ(best(resnet(), limits), (PassSize{3, 17}));
    PassLimits nothing;
    nothing.most_points = nothing.most_samples = 64;
    EXPECT_EQ(best(resnet(), nothing), (PassSize{1, 1}));
    nothing.fixed_samples = 9;
    EXPECT_EQ(best(resnet(), nothing), (PassSize{1, 9}));
}

bool differ_by_a_factor_of_two(const PassSize& a, const PassSize& b) {
    const auto apart = [](std::int64_t left, std::int64_t right) { return left >= 2 * right || right >= 2 * left; };
    return apart(a.points, b.points) || apart(a.samples, b.samples);
}

TEST(PassModel, SizesToMeasureAreTheFavouriteAndOthersUnlikeIt) {
    for (const std::int64_t chunk : {32, 100, 1000}) {
        PassLimits limits = large_device();
        limits.chunk_samples = chunk;
        for (const PassCosts& costs : {mlp(), lenet(), resnet()}) {
            const std::vector<PassSize> sizes = sizes_to_measure(costs, limits, 6);
            EXPECT_EQ(sizes.size(), 6u);
            EXPECT_EQ(sizes.front(), best(costs, limits));
            for (std::size_t k = 0; k < sizes.size(); ++k) {
                EXPECT_TRUE(fits(costs, limits, sizes[k]));
                EXPECT_LE(estimated_seconds(costs, limits, sizes[k]), 6 * estimated_seconds(costs, limits, sizes[0]));
                for (std::size_t other = 0; other < k; ++other)
                    EXPECT_TRUE(differ_by_a_factor_of_two(sizes[k], sizes[other])) << k << " and " << other;
            }
        }
    }
    EXPECT_EQ(sizes_to_measure(mlp(), large_device(), 1).size(), 1u);
    PassLimits nothing = large_device();
    nothing.fixed_points = nothing.fixed_samples = 3;
    EXPECT_EQ(sizes_to_measure(mlp(), nothing, 6), (std::vector<PassSize>{{3, 3}}));
}

TEST(PassModel, SmallNetworksAreMeasuredWithHundredsOfPoints) {
    const auto has_many = [](const std::vector<PassSize>& sizes, std::int64_t most_samples) {
        return std::any_of(sizes.begin(), sizes.end(),
                           [&](const PassSize& size) { return size.points >= 256 && size.samples <= most_samples; });
    };
    for (const std::int64_t chunk : {32, 100, 1000}) {
        PassLimits limits = large_device();
        limits.chunk_samples = chunk;
        EXPECT_TRUE(has_many(sizes_to_measure(mlp(), limits, 6), 128)) << chunk;
        EXPECT_TRUE(has_many(sizes_to_measure(lenet(), limits, 6), 128)) << chunk;
    }
}

TEST(PassModel, APassOfLeNetIsBoundByLaunchesNotByItsMemory) {
    // A thousand samples share the launch of a point's convolutions, and some points all others: more memory gains
    // nothing worth mentioning.
    PassLimits limits = large_device();
    EXPECT_EQ(best(lenet(), limits).samples, 1000);
    const PassSize size = best(lenet(), limits);
    EXPECT_LT(size.points * size.samples * lenet().evaluation_bytes, limits.pass_bytes / 2);
    limits.pass_bytes *= 16;
    EXPECT_GT(estimated_seconds(lenet(), limits, best(lenet(), limits)),
              0.95 * estimated_seconds(lenet(), limits, size));
    PassLimits many = limits;
    many.fixed_points = 256;
    many.fixed_samples = 64;
    EXPECT_GT(estimated_seconds(lenet(), many, {256, 64}), 4 * estimated_seconds(lenet(), limits, size));
}

TEST(PassModel, ArithmeticCountsInWhatAPassTakes) {
    PassCosts costs = mlp();
    const double moved = estimated_pass_seconds(costs, large_device(), {100, 10});
    EXPECT_NEAR(moved, estimated_seconds(costs, PassLimits{.cache_bytes = 50 << 20}, {100, 10}) * 1000, 1e-9 * moved);
    costs.macs = 1'000'000'000;
    EXPECT_GT(estimated_pass_seconds(costs, large_device(), {100, 10}), moved + 1e-3);
    EXPECT_DOUBLE_EQ(useful_share(large_device(), {51, 1000}), 1.0);
    EXPECT_DOUBLE_EQ(useful_share(large_device(), {1024, 1000}), 2601.0 / 3072.0);
}

}  // namespace
}  // namespace lossmap::cuda
