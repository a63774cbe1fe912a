#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/backends/backend_case.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::ReferenceNet;

class BackendNonFinite : public ::testing::TestWithParam<test::BackendCase> {};

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Everything that could hide a NaN stands between the batch norm and the output.
ReferenceNet hiding_net() {
    ReferenceNet net({3, 8, 8}, 21);
    auto x = net.relu(net.batch_norm(net.conv(net.input(), 8, 3, 1, 1)));
    x = net.max_pool(x, 2, 2, 0);
    x = net.clip(net.batch_norm(net.conv(x, 8, 3, 1, 1)), 0.0F, 6.0F);
    net.output(net.gemm(net.flatten(net.global_average_pool(x)), 5, true));
    return net;
}

TEST_P(BackendNonFinite, ANegativeVarianceGivesNaNForEverySample) {
    for (const bool fuse : {true, false}) {
        NetworkRunner runner(hiding_net(), 6, 5, GetParam().make());
        runner.request().passes = fuse ? PassSet{} : PassSet::none();
        // Only the first norm's variance of one channel, and only along the second axis.
        std::fill(runner.state_direction().begin(), runner.state_direction().end(), 0.0F);
        runner.state_direction()[8] = -10.0F;
        const auto executable = runner.compile();
        const auto sums = runner.sums(*executable, {{{0.3, 0.0}}, {{0.3, 1.0}}});
        EXPECT_TRUE(std::isfinite(sums[0].loss_sum));
        EXPECT_EQ(sums[0].non_finite, 0);
        EXPECT_TRUE(std::isnan(sums[1].loss_sum)) << "fuse " << fuse;
        EXPECT_EQ(sums[1].non_finite, 6);
        EXPECT_EQ(sums[1].counted, 6);
        EXPECT_EQ(sums[1].correct, 0);
    }
}

TEST_P(BackendNonFinite, ASumOfInfinitiesInTheMiddleIsNotHidden) {
    NetworkRunner runner(hiding_net(), 4, 5, GetParam().make());
    // The first layer overflows to infinities of both signs, which the second adds up to NaN in front of its clip.
    for (std::size_t k = 0; k < 8 * 27; ++k)
        runner.net().origin().weights[k] *= 3e38F;
    const auto sums = runner.sums(*runner.compile(), {{{0.0, 0.0}}});
    EXPECT_TRUE(std::isnan(sums[0].loss_sum));
    EXPECT_EQ(sums[0].non_finite, 4);
}

TEST_P(BackendNonFinite, ANaNInOneSampleStaysThere) {
    NetworkRunner runner(hiding_net(), 6, 5, GetParam().make());
    runner.request().tile_samples = 4;
    const_cast<SampleChunk&>(runner.chunk()).inputs[0].as<float>()[2 * 3 * 64 + 70] = kNaN;
    const auto sums = runner.sums(*runner.compile(), {{{0.1, 0.1}}});
    EXPECT_EQ(sums[0].non_finite, 1);
    EXPECT_EQ(sums[0].counted, 6);
    EXPECT_TRUE(std::isnan(sums[0].loss_sum));
}

TEST_P(BackendNonFinite, AnInfinityBehindReluIsAsHarmlessAsInTheNetwork) {
    // Wide enough for transforms, which turn an infinity into NaN that the network itself does not have.
    ReferenceNet net({16, 6, 6}, 22);
    net.output(net.gemm(net.flatten(net.relu(net.conv(net.input(), 16, 3, 1, 1))), 5, true));
    NetworkRunner runner(std::move(net), 6, 5, GetParam().make());
    for (std::size_t k = 0; k < 16 * 16 * 9; ++k) {
        float& weight = runner.net().origin().weights[k];
        weight = -std::abs(weight);
    }
    for (auto axis : {std::size_t{0}, std::size_t{1}}) {
        std::fill(runner.direction(axis).begin(), runner.direction(axis).end(), 0.0F);
    }
    const_cast<SampleChunk&>(runner.chunk()).inputs[0].as<float>()[3 * 16 * 36 + 14] = kInfinity;
    const auto executable = runner.compile();
    EXPECT_LT(runner.error(*executable, {0.0, 0.0}), GetParam().tolerance(2e-5));
    EXPECT_EQ(runner.sums(*executable, {{{0.0, 0.0}}})[0].non_finite, 0);
}

// A program for GPUs has no backend where there is none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendNonFinite);
INSTANTIATE_TEST_SUITE_P(Backends, BackendNonFinite, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lossmap
