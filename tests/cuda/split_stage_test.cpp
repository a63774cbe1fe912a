#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "split_networks.hpp"

// Chains of convolutions in fp32 by products of fp16 halves: what they give, and when samples are computed again.
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

HostDeviceOptions device(std::int64_t kilobytes = 227) {
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = kilobytes << 10;
    return options;
}

Emulated in_fp32(ReferenceNet net, std::int64_t samples = 3, const HostDeviceOptions& options = device()) {
    return Emulated(std::move(net), samples, options, Precision::fp32);
}

/// The same without the pass.
Emulated plain_fp32(ReferenceNet net, std::int64_t samples = 3) {
    Emulated plain = in_fp32(std::move(net), samples);
    plain.runner.request().passes.split_stages = false;
    return plain;
}

/// One image and point at a time: there are many of these.
Emulated small_in_fp32() {
    HostDeviceOptions options = device();
    options.most_points = 1;
    Emulated emulated = in_fp32(homogeneous_net(), 1, options);
    emulated.runner.request().tile_samples = 1;
    return emulated;
}

TEST(CudaSplitStage, AResidualNetworkIsThreeLaunches) {
    Emulated split = in_fp32(three_stages(projected_entry));
    EXPECT_EQ(split.stages("split_stage").size(), 3u);
    EXPECT_THAT(split.lengths(), ElementsAre(5, 5, 3));
    EXPECT_TRUE(split.reasons().empty());
    EXPECT_EQ(split.plan().at("stage_arithmetic"), "fp32 by three products of fp16 halves");
    const auto executable = split.runner.compile();
    for (const std::vector<double>& point : {std::vector<double>{0.0, 0.0}, {0.2, -0.1}})
        EXPECT_LT(split.runner.error(*executable, point), kHalves);
    EXPECT_GT(split.device->counts().by_name.at("split_stage"), 0);
    EXPECT_FALSE(nlohmann::json::parse(executable->plan_json()).contains("rescue"));
    Emulated plain = plain_fp32(three_stages(projected_entry));
    EXPECT_EQ(executable->macs_per_sample(), plain.runner.compile()->macs_per_sample());
}

TEST(CudaSplitStage, AgreesWithTheSameNetworkNotJoined) {
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.2, -0.1}}, {{-0.1, 0.1}}};
    Emulated split = in_fp32(three_stages());
    Emulated plain = plain_fp32(three_stages());
    EXPECT_TRUE(plain.stages("split_stage").empty());
    EXPECT_FALSE(plain.plan().contains("stage_arithmetic"));
    EXPECT_EQ(plain.plan().at("passes").at("split_stages"), false);
    const auto executable = split.runner.compile();
    const auto joined = split.runner.sums(*executable, points);
    const auto single = plain.runner.sums(*plain.runner.compile(), points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_NEAR(joined[k].loss_sum, single[k].loss_sum, kHalves * std::abs(single[k].loss_sum));
        EXPECT_NE(joined[k].loss_sum, single[k].loss_sum);
        EXPECT_EQ(joined[k].overflowed, 0);
        EXPECT_EQ(joined[k].counted, 3);
    }
    for (const double error : executable->precision_error(points, split.runner.chunk()))
        EXPECT_LT(error, kHalves);
}

TEST(CudaSplitStage, PointsOfOneCallDoNotDependOnEachOther) {
    Emulated split = in_fp32(homogeneous_net());
    const auto executable = split.runner.compile();
    const auto together = split.runner.sums(*executable, {{{0.3, 0.0}}, {{0.0, 0.2}}, {{0.1, 0.1}}});
    EXPECT_EQ(split.runner.sums(*executable, {{{0.1, 0.1}}})[0], together[2]);
}

TEST(CudaSplitStage, OtherPrecisionsAndDevicesAreNotSplit) {
    for (const Precision precision : {Precision::tf32, Precision::fp16, Precision::bf16}) {
        Emulated emulated(three_stages(), 3, device(), precision);
        EXPECT_TRUE(emulated.stages("split_stage").empty()) << name_of(precision);
    }
    // 163 KB: an A100; 99 KB: an Ada.
    Emulated small = in_fp32(three_stages(), 3, device(163));
    EXPECT_THAT(small.lengths(), ElementsAre(4));
    EXPECT_THAT(small.reasons(), ::testing::Contains("no kernel keeps 64 channels of 8 x 8 pixels in 163 KB"));
    EXPECT_LT(small.runner.error(*small.runner.compile(), {0.1, 0.0}), kHalves);
    Emulated none = in_fp32(three_stages(), 3, device(99));
    EXPECT_TRUE(none.stages("split_stage").empty());
    Emulated plain = plain_fp32(three_stages());
    EXPECT_EQ(none.runner.sums(*none.runner.compile(), {{{0.1, 0.0}}}),
              plain.runner.sums(*plain.runner.compile(), {{{0.1, 0.0}}}));
}

TEST(CudaSplitStage, StatisticsAreNotSplit) {
    Emulated statistics = in_fp32(three_stages());
    statistics.runner.request().statistics_batches = {2};
    const nlohmann::json batch = statistics.plan().at("statistics").at(0);
    EXPECT_EQ(batch.dump().find("split_stage"), std::string::npos);
}

/// Whatever the scale of activations, outputs are right: where halves hold them, or because they are computed again.
TEST(CudaSplitStage, OutputsAreRightAtAnyScaleOfActivations) {
    for (const float scale :
         {1e-20F, 1e-12F, 1e-8F, 1e-6F, 1e-5F, 1e-4F, 1e-3F, 0.1F, 10.0F, 1e3F, 1e4F, 1e6F, 1e12F}) {
        Emulated split = small_in_fp32();
        expect_right_at_scale(split.runner, scale);
    }
}

TEST(CudaSplitStage, OutputsAreRightAtAnyScaleOfWeights) {
    for (const float scale : {1e-12F, 1e-8F, 1e-6F, 1e-3F, 10.0F, 1e6F}) {
        Emulated split = small_in_fp32();
        // Inputs and the head make up for it: what is in between is neither large nor small.
        scale_samples(split.runner, 0, 1, 1.0F / scale);
        scale_weights(split.runner, 0, kFirst, scale);
        const auto executable = split.runner.compile();
        EXPECT_LT(split.runner.error(*executable, {0.2, -0.1}), kHalves) << scale;
        Emulated inner = small_in_fp32();
        scale_weights(inner.runner, kFirst, kInner, scale);
        EXPECT_LT(inner.runner.error(*inner.runner.compile(), {0.2, -0.1}), kHalves) << scale;
    }
}

TEST(CudaSplitStage, OnlyTilesThatHalvesDoNotHoldAreComputedAgain) {
    for (const float factor : {1e7F, 1e-7F}) {
        Emulated split = in_fp32(homogeneous_net(), 5);
        Emulated plain = plain_fp32(homogeneous_net(), 5);
        for (Emulated* one : {&split, &plain})
            scale_samples(one->runner, 3, 1, factor);
        const std::vector<Point> points{{{0.0, 0.0}}, {{0.1, 0.2}}};
        const auto executable = split.runner.compile();
        const auto actual = split.runner.sums(*executable, points);
        const auto expected = plain.runner.sums(*plain.runner.compile(), points);
        for (std::size_t k = 0; k < points.size(); ++k) {
            EXPECT_EQ(actual[k].overflowed, 2) << "the tile of sample 3";
            EXPECT_EQ(actual[k].counted, 5);
            EXPECT_NEAR(actual[k].loss_sum, expected[k].loss_sum, kHalves * std::abs(expected[k].loss_sum));
        }
        const nlohmann::json rescue = nlohmann::json::parse(executable->plan_json()).at("rescue");
        EXPECT_EQ(rescue.at("precision"), "fp32");
        EXPECT_EQ(rescue.at("passes").at("split_stages"), false);
    }
}

TEST(CudaSplitStage, WeightsThatHalvesDoNotHoldLeadToPlainFp32) {
    for (const float weight : {-2e5F, NAN, INFINITY}) {
        Emulated split = in_fp32(homogeneous_net());
        Emulated plain = plain_fp32(homogeneous_net());
        for (Emulated* one : {&split, &plain})
            one->runner.net().origin().weights[kFirst + 10] = weight;
        const auto actual = split.runner.sums(*split.runner.compile(), {{{0.0, 0.0}}})[0];
        const auto expected = plain.runner.sums(*plain.runner.compile(), {{{0.0, 0.0}}})[0];
        EXPECT_EQ(actual.overflowed, 3) << weight;
        EXPECT_EQ(actual.non_finite, expected.non_finite) << weight;
        if (expected.non_finite == 0) {
            EXPECT_EQ(actual.loss_sum, expected.loss_sum);
        }
    }
}

}  // namespace
}  // namespace lossmap
