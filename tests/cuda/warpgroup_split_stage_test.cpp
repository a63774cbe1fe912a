#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "split_networks.hpp"

// Chains of convolutions in fp32 on wgmma: which devices and shapes have that kernel, and that it gives what the one on
// mma.sync gives.
namespace lossmap {
namespace {

using test::Emulated;
using test::expect_right_at_scale;
using test::homogeneous_net;
using test::HostDeviceOptions;
using test::kFirst;
using test::kHalves;
using test::kHead;
using test::kInner;
using test::projected_entry;
using test::ReferenceNet;
using test::scale_samples;
using test::scale_weights;
using test::three_stages;
using ::testing::ElementsAre;

constexpr const char* kKernel = "warpgroup_split_stage";

Emulated on(const std::string& architecture, ReferenceNet net, std::int64_t samples = 3, std::int64_t points = 2) {
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = 227 << 10;
    options.architecture = architecture;
    options.most_points = points;
    return Emulated(std::move(net), samples, options, Precision::fp32);
}
Emulated on_hopper(ReferenceNet net, std::int64_t samples = 3) { return on("sm_90", std::move(net), samples); }

Emulated one_image() {
    Emulated emulated = on("sm_90", homogeneous_net(), 1, 1);
    emulated.runner.request().tile_samples = 1;
    return emulated;
}

TEST(CudaWarpgroupSplitStage, TakesTheChainsWhoseShapeItHas) {
    Emulated hopper = on_hopper(three_stages(projected_entry));
    EXPECT_EQ(hopper.stages(kKernel).size(), 2u);
    EXPECT_EQ(hopper.stages("split_stage").size(), 1u) << "8 x 8 pixels";
    EXPECT_THAT(hopper.lengths(), ElementsAre(5, 5, 3));
    EXPECT_TRUE(hopper.reasons().empty());
    EXPECT_EQ(hopper.plan().at("stage_arithmetic"), "fp32 by three products of fp16 halves");
    const auto executable = hopper.runner.compile();
    for (const std::vector<double>& point : {std::vector<double>{0.0, 0.0}, {0.2, -0.1}})
        EXPECT_LT(hopper.runner.error(*executable, point), kHalves);
    EXPECT_GT(hopper.device->counts().by_name.at(kKernel), 0);
}

TEST(CudaWarpgroupSplitStage, WithoutThePassTheOtherKernelRuns) {
    Emulated hopper = on_hopper(homogeneous_net());
    Emulated other = on_hopper(homogeneous_net());
    other.runner.request().passes.warpgroup_split_stages = false;
    EXPECT_TRUE(other.stages(kKernel).empty());
    EXPECT_EQ(other.stages("split_stage").size(), 1u);
    EXPECT_EQ(other.plan().at("passes").at("warpgroup_split_stages"), false);
    EXPECT_EQ(other.lengths(), hopper.lengths());
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.2, -0.1}}, {{-0.1, 0.1}}};
    const auto executable = hopper.runner.compile();
    const auto sums = hopper.runner.sums(*executable, points);
    const auto expected = other.runner.sums(*other.runner.compile(), points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_NEAR(sums[k].loss_sum, expected[k].loss_sum, kHalves * std::abs(expected[k].loss_sum));
        EXPECT_EQ(sums[k].overflowed, 0);
        EXPECT_EQ(sums[k].counted, 3);
    }
    EXPECT_EQ(hopper.runner.sums(*executable, points), sums) << "the same bits twice";
    EXPECT_EQ(hopper.runner.sums(*executable, {points[2]})[0], sums[2]) << "points do not depend on each other";
}

TEST(CudaWarpgroupSplitStage, OtherDevicesAndPrecisionsHaveNone) {
    for (const char* architecture : {"sm_80", "sm_89", "sm_100", "host"}) {
        Emulated emulated = on(architecture, homogeneous_net());
        EXPECT_TRUE(emulated.stages(kKernel).empty()) << architecture;
        EXPECT_EQ(emulated.stages("split_stage").size(), 1u) << architecture;
    }
    for (const Precision precision : {Precision::fp16, Precision::tf32, Precision::bf16}) {
        Emulated emulated = on_hopper(homogeneous_net());
        emulated.runner.request().precision = precision;
        EXPECT_TRUE(emulated.stages(kKernel).empty()) << name_of(precision);
    }
    Emulated plain = on_hopper(homogeneous_net());
    plain.runner.request().passes.split_stages = false;
    EXPECT_FALSE(plain.plan().contains("stages"));
}

/// Whatever the scale of activations and weights, outputs are right: where halves hold them, or because they are
/// computed again.
TEST(CudaWarpgroupSplitStage, OutputsAreRightAtAnyScale) {
    for (const float scale : {1e-20F, 1e-6F, 1e-5F, 1e-3F, 1e4F, 1e6F, 1e12F}) {
        Emulated split = one_image();
        ASSERT_EQ(split.stages(kKernel).size(), 1u);
        expect_right_at_scale(split.runner, scale);
    }
    for (const float scale : {1e-12F, 1e-3F, 1e6F}) {
        Emulated inner = one_image();
        scale_weights(inner.runner, kFirst, kInner, scale);
        EXPECT_LT(inner.runner.error(*inner.runner.compile(), {0.2, -0.1}), kHalves) << scale;
    }
}

TEST(CudaWarpgroupSplitStage, OnlyTilesThatHalvesDoNotHoldAreComputedAgain) {
    for (const float factor : {1e7F, 1e-7F}) {
        Emulated split = on_hopper(homogeneous_net(), 5);
        Emulated plain = on_hopper(homogeneous_net(), 5);
        plain.runner.request().passes.split_stages = false;
        for (Emulated* one : {&split, &plain})
            scale_samples(one->runner, 3, 1, factor);
        const auto actual = split.runner.sums(*split.runner.compile(), {{{0.1, 0.2}}})[0];
        const auto expected = plain.runner.sums(*plain.runner.compile(), {{{0.1, 0.2}}})[0];
        EXPECT_EQ(actual.overflowed, 2) << "the tile of sample 3";
        EXPECT_EQ(actual.counted, 5);
        EXPECT_NEAR(actual.loss_sum, expected.loss_sum, kHalves * std::abs(expected.loss_sum));
    }
}

}  // namespace
}  // namespace lossmap
