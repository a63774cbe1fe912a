#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "backend/layer_check.hpp"
#include "stage_networks.hpp"

// Chains of convolutions in tf32 by products of what fp16 keeps of an operand.
namespace lossmap {
namespace {

using test::Emulated;
using test::Handle;
using test::HostDeviceOptions;
using test::projected_entry;
using test::ReferenceNet;
using test::three_stages;
using ::testing::Contains;
using ::testing::ElementsAre;

Emulated in_tf32(ReferenceNet net, std::int64_t samples = 3, std::int64_t kilobytes = 227) {
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = kilobytes << 10;
    return Emulated(std::move(net), samples, options, Precision::tf32);
}

/// Layer by layer.
Emulated without_stages(ReferenceNet net, std::int64_t samples = 3) {
    Emulated plain = in_tf32(std::move(net), samples);
    plain.runner.request().passes.stages = false;
    return plain;
}

/// Of a device's output against fp64, after a dozen layers.
double tolerance() { return 4.0 * unit_roundoff(Precision::tf32); }

void scale_sample(Emulated& emulated, std::size_t sample, float factor) {
    auto inputs = const_cast<SampleChunk&>(emulated.runner.chunk()).inputs[0].as<float>();
    const std::size_t width = inputs.size() / static_cast<std::size_t>(emulated.runner.chunk().count);
    for (float& pixel : inputs.subspan(sample * width, width))
        pixel *= factor;
}

TEST(CudaTf32Stage, AResidualNetworkIsThreeLaunches) {
    Emulated stages = in_tf32(three_stages(projected_entry));
    EXPECT_EQ(stages.stages("tf32_stage").size(), 3u);
    EXPECT_THAT(stages.lengths(), ElementsAre(5, 5, 3));
    EXPECT_TRUE(stages.reasons().empty());
    EXPECT_EQ(stages.plan().at("stage_arithmetic"), "tf32 by products of its 11 bits in fp16");
    const auto executable = stages.runner.compile();
    for (const std::vector<double>& point : {std::vector<double>{0.0, 0.0}, {0.2, -0.1}}) {
        EXPECT_LT(stages.runner.error(*executable, point), tolerance());
        EXPECT_GT(stages.runner.error(*executable, point), 1e-6) << "operands are rounded";
    }
    EXPECT_GT(stages.device->counts().by_name.at("tf32_stage"), 0);
    EXPECT_FALSE(nlohmann::json::parse(executable->plan_json()).contains("rescue"));
}

TEST(CudaTf32Stage, WithoutThePassLayersRunOneByOne) {
    Emulated stages = in_tf32(three_stages());
    Emulated plain = without_stages(three_stages());
    EXPECT_TRUE(plain.stages("tf32_stage").empty());
    EXPECT_FALSE(plain.plan().contains("stage_arithmetic"));
    EXPECT_EQ(stages.runner.compile()->macs_per_sample(), plain.runner.compile()->macs_per_sample());
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.2, -0.1}}, {{-0.1, 0.1}}};
    const auto joined = stages.runner.sums(*stages.runner.compile(), points);
    const auto single = plain.runner.sums(*plain.runner.compile(), points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_NEAR(joined[k].loss_sum, single[k].loss_sum, tolerance() * std::abs(single[k].loss_sum));
        EXPECT_EQ(joined[k].overflowed, 0);
        EXPECT_EQ(joined[k].counted, 3);
    }
    EXPECT_EQ(stages.runner.sums(*stages.runner.compile(), {points[2]})[0], joined[2]) << "points do not depend";
}

TEST(CudaTf32Stage, SmallerDevicesTakeTheFirstStage) {
    Emulated small = in_tf32(three_stages(), 3, 163);
    EXPECT_THAT(small.lengths(), ElementsAre(4));
    EXPECT_THAT(small.reasons(), Contains("no kernel keeps 32 channels of 16 x 16 pixels in 163 KB"));
    EXPECT_LT(small.runner.error(*small.runner.compile(), {0.1, 0.0}), tolerance());
    EXPECT_TRUE(in_tf32(three_stages(), 3, 99).stages("tf32_stage").empty());
}

/// Each layer adds the input of the one in front of it: one low buffer does not hold two skips.
TEST(CudaTf32Stage, SkipsThatCrossEndAChain) {
    const auto net = [] {
        ReferenceNet made({3, 32, 32}, 61);
        const Handle a = made.relu(made.conv(made.input(), 16, 3, 1, 1));
        const Handle b = made.relu(made.conv(a, 16, 3, 1, 1));
        const Handle c = made.relu(made.add(made.conv(b, 16, 3, 1, 1), a));
        const Handle d = made.relu(made.add(made.conv(c, 16, 3, 1, 1), b));
        const Handle e = made.relu(made.conv(d, 16, 3, 1, 1));
        made.output(made.gemm(made.flatten(made.global_average_pool(e)), 5, true));
        return made;
    };
    Emulated crossed = in_tf32(net());
    const std::vector<std::size_t> lengths = crossed.lengths();
    ASSERT_FALSE(lengths.empty());
    EXPECT_LT(lengths.front(), 5u);
    EXPECT_LT(crossed.runner.error(*crossed.runner.compile(), {0.2, -0.1}), tolerance());
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = 227 << 10;
    EXPECT_THAT(Emulated(net(), 3, options, Precision::fp32).lengths(), ElementsAre(5)) << "fp32 keeps all low halves";
}

TEST(CudaTf32Stage, WhatHalvesDoNotHoldIsComputedAgain) {
    const auto net = [] {
        ReferenceNet made({3, 32, 32}, 41);
        const Handle x = made.relu(made.conv(made.input(), 16, 3, 1, 1));
        const Handle inner = made.relu(made.conv(x, 16, 3, 1, 1));
        const Handle y = made.relu(made.add(made.conv(inner, 16, 3, 1, 1), x));
        made.output(made.gemm(made.flatten(made.global_average_pool(y)), 5, true));
        return made;
    };
    for (const float factor : {1e7F, 1e-6F}) {
        Emulated stages = in_tf32(net(), 5);
        Emulated exact = in_tf32(net(), 5);
        exact.runner.request().precision = Precision::fp32;
        exact.runner.request().passes.split_stages = false;
        for (Emulated* one : {&stages, &exact})
            scale_sample(*one, 3, factor);
        const std::vector<Point> points{{{0.0, 0.0}}, {{0.1, 0.2}}};
        const auto executable = stages.runner.compile();
        const auto actual = stages.runner.sums(*executable, points);
        const auto expected = exact.runner.sums(*exact.runner.compile(), points);
        for (std::size_t k = 0; k < points.size(); ++k) {
            EXPECT_EQ(actual[k].overflowed, 2) << "the tile of sample 3";
            EXPECT_EQ(actual[k].counted, 5);
            EXPECT_NEAR(actual[k].loss_sum, expected[k].loss_sum, tolerance() * std::abs(expected[k].loss_sum));
        }
        EXPECT_EQ(nlohmann::json::parse(executable->plan_json()).at("rescue").at("precision"), "fp32");
    }
}

}  // namespace
}  // namespace lossmap
