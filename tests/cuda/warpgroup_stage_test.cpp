#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "stage_networks.hpp"

// Chains of convolutions in fp16 on wgmma: which devices and shapes have that kernel, and that it changes no more than
// rounding.
namespace lossmap {
namespace {

using test::block;
using test::Emulated;
using test::Handle;
using test::HostDeviceOptions;
using test::overflow_sample_3;
using test::projected_entry;
using test::ReferenceNet;
using test::three_stages;
using test::wide_net;
using ::testing::ElementsAre;

constexpr const char* kKernel = "warpgroup_stage";

Emulated on(const std::string& architecture, ReferenceNet net, std::int64_t samples = 3, std::int64_t kilobytes = 227) {
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = kilobytes << 10;
    options.architecture = architecture;
    return Emulated(std::move(net), samples, options);
}

Emulated on_hopper(ReferenceNet net, std::int64_t samples = 3) { return on("sm_90", std::move(net), samples); }

/// On mma.sync, as on other devices.
Emulated without_the_pass(ReferenceNet net, std::int64_t samples = 3) {
    Emulated plain = on_hopper(std::move(net), samples);
    plain.runner.request().passes.warpgroup_stages = false;
    return plain;
}

ReferenceNet one_block() {
    return wide_net([](ReferenceNet& net, Handle x) { return block(net, x, 64); });
}

TEST(CudaWarpgroupStage, AResidualNetworkIsThreeLaunches) {
    Emulated hopper = on_hopper(three_stages(projected_entry));
    EXPECT_EQ(hopper.stages(kKernel).size(), 3u);
    EXPECT_TRUE(hopper.stages().empty());
    EXPECT_THAT(hopper.lengths(), ElementsAre(5, 5, 3));
    EXPECT_TRUE(hopper.reasons().empty());
    EXPECT_EQ(hopper.plan().at("stage_arithmetic"), "fp16");
    const auto executable = hopper.runner.compile();
    for (const std::vector<double>& point : {std::vector<double>{0.0, 0.0}, {0.2, -0.1}}) {
        const double error = hopper.runner.error(*executable, point);
        EXPECT_LT(error, 5e-3);
        EXPECT_GT(error, 2e-5);  // fp16 it is
    }
    EXPECT_GT(hopper.device->counts().by_name.at(kKernel), 0);
}

TEST(CudaWarpgroupStage, WithoutThePassTheOtherKernelRuns) {
    Emulated hopper = on_hopper(three_stages());
    Emulated plain = without_the_pass(three_stages());
    EXPECT_TRUE(plain.stages(kKernel).empty());
    EXPECT_EQ(plain.stages().size(), 3u);
    EXPECT_EQ(plain.plan().at("passes").at("warpgroup_stages"), false);
    EXPECT_EQ(plain.lengths(), hopper.lengths());
    const auto executable = hopper.runner.compile(), other = plain.runner.compile();
    EXPECT_EQ(executable->macs_per_sample(), other->macs_per_sample());
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.2, -0.1}}, {{-0.1, 0.1}}};
    const auto sums = hopper.runner.sums(*executable, points);
    const auto expected = plain.runner.sums(*other, points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_NEAR(sums[k].loss_sum, expected[k].loss_sum, 3e-3 * std::abs(expected[k].loss_sum));
        EXPECT_EQ(sums[k].overflowed, 0);
        EXPECT_EQ(sums[k].counted, 3);
    }
    EXPECT_EQ(hopper.runner.sums(*executable, {points[2]})[0], sums[2]) << "points do not depend on each other";
}

TEST(CudaWarpgroupStage, WithoutStagesNothingIsJoined) {
    Emulated plain = on_hopper(one_block());
    plain.runner.request().passes.stages = false;
    EXPECT_TRUE(plain.stages(kKernel).empty());
    EXPECT_TRUE(plain.stages().empty());
}

TEST(CudaWarpgroupStage, OtherDevicesAndPrecisionsHaveNone) {
    for (const char* architecture : {"sm_80", "sm_89", "sm_100", "host"}) {
        Emulated emulated = on(architecture, three_stages());
        EXPECT_TRUE(emulated.stages(kKernel).empty()) << architecture;
        EXPECT_EQ(emulated.stages().size(), 3u) << architecture;
    }
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
        Emulated emulated = on_hopper(three_stages());
        emulated.runner.request().precision = precision;
        EXPECT_TRUE(emulated.stages(kKernel).empty()) << name_of(precision);
    }
}

TEST(CudaWarpgroupStage, OtherSidesFallBackToTheOtherKernel) {
    Emulated other = on_hopper(three_stages(projected_entry, 16, 28));
    EXPECT_TRUE(other.stages(kKernel).empty());
    EXPECT_EQ(other.stages().size(), 3u);
    // Each chain takes the first kernel that has its shape: here 8 x 8 behind 14 x 14.
    Emulated both = on_hopper([] {
        ReferenceNet net({3, 14, 14}, 25);
        Handle x = block(net, net.relu(net.conv(net.input(), 32, 3, 1, 1, 1, true)), 32);
        x = net.conv(x, 64, 3, 2, 2, 1, true);  // a wide border: 8 x 8
        net.output(net.gemm(net.flatten(net.global_average_pool(block(net, x, 64))), 5, true));
        return net;
    }());
    EXPECT_EQ(both.stages().size(), 1u);
    EXPECT_EQ(both.stages(kKernel).size(), 1u);
    EXPECT_EQ(both.plan().at("stages").size(), 2u);
    EXPECT_LT(both.runner.error(*both.runner.compile(), {0.1, -0.1}), 5e-3);
}

TEST(CudaWarpgroupStage, WhatOverflowsInsideIsComputedAgain) {
    Emulated hopper = on_hopper(one_block(), 5);
    Emulated exact = on_hopper(one_block(), 5);
    exact.runner.request().precision = Precision::fp32;
    for (Emulated* one : {&hopper, &exact})
        overflow_sample_3(one->runner);
    ASSERT_EQ(hopper.stages(kKernel).size(), 1u);
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.1, 0.2}}};
    const auto actual = hopper.runner.sums(*hopper.runner.compile(), points);
    const auto expected = exact.runner.sums(*exact.runner.compile(), points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_EQ(actual[k].overflowed, 2) << "the tile of sample 3";
        EXPECT_EQ(actual[k].counted, 5);
        EXPECT_NEAR(actual[k].loss_sum, expected[k].loss_sum, 5e-3 * std::abs(expected[k].loss_sum));
    }
}

}  // namespace
}  // namespace lossmap
