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

/// The same where blocks of all points may compute the convolutions, and pool: 5 images and half of the rows, or 10
/// images each, of which the device holds 264.
PassCosts tiled_lenet() {
    PassCosts costs = lenet();
    costs.point_launches = 0;
    costs.either_way = {{18e-9, 6.1e-6, 264, 5, 2, 2 * 6 * 28 * 28 * 4, 1},
                        {37e-9, 31e-6, 264, 10, 1, 2 * 16 * 100 * 4, 1}};
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
    costs.stage_seconds = 4 * 9e-5;
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

TEST(PassModel, BlocksOfAllPointsWantFullRounds) {
    PassLimits limits = large_device();
    limits.chunk_samples = 64;
    const PassSize size = best(tiled_lenet(), limits);
    EXPECT_GE(size.points * size.samples, 128 * 64);
    // 416 and 112 blocks: two rounds for what is 1.6, and one for less than half of one.
    EXPECT_GT(estimated_seconds(tiled_lenet(), limits, {16, 64}), 2 * estimated_seconds(tiled_lenet(), limits, size));
    PassCosts alone;
    alone.either_way = {{1.0, 1e-3, 264, 10, 1, 0, 0}};
    const double full = estimated_pass_seconds(alone, limits, {264, 10});
    EXPECT_NEAR(estimated_pass_seconds(alone, limits, {132, 10}) - full, 0.5e-3, 1e-9) << "half a round is lost";
    EXPECT_NEAR(estimated_pass_seconds(alone, limits, {265, 10}) - full, 263.0 / 264.0 * 1e-3, 1e-9);
}

TEST(PassModel, BlocksThatAreAloneWaitForNobody) {
    const PassLimits limits = large_device();
    PassCosts costs;
    costs.blocks = {{1e-3, 0.4e-3, 528, 128, 2}};
    const double full = estimated_pass_seconds(costs, limits, {528, 64});
    EXPECT_EQ(costs.blocks[0].full(), 1e-3 / 528 / 128);
    // Beyond what a full device would take, which is no size's: of one block nearly all, of a round and one the same.
    EXPECT_NEAR(estimated_pass_seconds(costs, limits, {1, 64}) - full, 0.4e-3 - 0.4e-3 / 528, 1e-12);
    EXPECT_NEAR(estimated_pass_seconds(costs, limits, {529, 64}) - full, 0.4e-3 - 0.4e-3 / 528, 1e-12);
    EXPECT_NEAR(estimated_pass_seconds(costs, limits, {264, 64}) - full, 0.2e-3, 1e-12);
    // Two rows a sample: one sample more needs another block.
    EXPECT_GT(estimated_pass_seconds(costs, limits, {264, 65}), estimated_pass_seconds(costs, limits, {264, 64}));
}

TEST(PassModel, WhatWasMeasuredTellsOfOtherJobs) {
    PassLimits limits = large_device();
    const std::vector<PassSize> sizes = sizes_to_measure(mlp(), limits, 6);
    std::vector<TriedSize> rates;
    for (const PassSize& size : sizes)
        rates.push_back({size, 5e-9 + estimated_seconds(mlp(), limits, size) * useful_share(limits, size)});
    // The same job, and one of which a measured size is as good as any.
    const auto same = size_by_rates(mlp(), limits, rates);
    ASSERT_TRUE(same);
    EXPECT_EQ(std::count(sizes.begin(), sizes.end(), *same), 1);
    // A few points more would be filled up to twice as many.
    limits.total_points = sizes.front().points + 3;
    limits.chunk_samples = sizes.front().samples;
    const auto other = size_by_rates(mlp(), limits, rates);
    ASSERT_TRUE(other);
    EXPECT_GT(useful_share(limits, *other), 0.8);
    // On a clock that dislikes points, few are taken.
    for (TriedSize& rate : rates)
        rate.seconds = 1e-9 * static_cast<double>(rate.size.points);
    EXPECT_LT(size_by_rates(mlp(), limits, rates)->points, other->points);
    // Nothing is known of what is unlike all of them.
    rates = {{{1, 1000}, 1e-9}};
    limits = large_device();
    limits.chunk_samples = 32;
    EXPECT_FALSE(size_by_rates(mlp(), limits, rates));
    EXPECT_FALSE(size_by_rates(mlp(), limits, {}));
    limits.fixed_points = 1;
    limits.fixed_samples = 600;
    EXPECT_EQ(size_by_rates(mlp(), limits, rates), (PassSize{1, 600})) << "what is given stays";
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
