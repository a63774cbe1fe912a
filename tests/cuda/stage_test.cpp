#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cuda/backend/cuda_backend.hpp"
#include "onnx_import/importer.hpp"
#include "stage_networks.hpp"
#include "tests/support/test_files.hpp"

// Chains of convolutions that the stage kernel takes, and what it makes of them.
namespace lossmap {
namespace {

using test::block;
using test::Emulated;
using test::Handle;
using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::overflow_sample_3;
using test::projected_entry;
using test::ReferenceNet;
using test::three_stages;
using test::wide_net;

constexpr const char* kForm = "it is not 3x3 with stride 1 and a border of 1";
constexpr const char* kAlone = "no other layer goes with it";

TEST(CudaStage, AllThreeResolutionsAgreeWithTheReference) {
    Emulated fused(three_stages());
    EXPECT_EQ(fused.stages().size(), 3u);
    EXPECT_EQ(fused.lengths().size(), fused.stages().size()) << "a list a launch: what the cost of a pass counts";
    // The network's first layer, and what leads to the next resolution. The shortcut pads the result, which is kept.
    EXPECT_THAT(fused.lengths(), ::testing::ElementsAre(4, 4, 3));
    EXPECT_TRUE(fused.reasons().empty());
    const auto executable = fused.runner.compile();
    for (const std::vector<double>& point : {std::vector<double>{0.0, 0.0}, {0.2, -0.1}}) {
        const double error = fused.runner.error(*executable, point);
        EXPECT_LT(error, 5e-3);
        EXPECT_GT(error, 2e-5);  // fp16 it is
    }
}

TEST(CudaStage, AgreesWithTheSameNetworkNotJoined) {
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.2, -0.1}}, {{-0.1, 0.1}}};
    Emulated fused(three_stages());
    Emulated plain(three_stages());
    plain.runner.request().passes.stages = false;
    EXPECT_TRUE(plain.stages().empty());
    EXPECT_FALSE(plain.plan().contains("outside_stages"));
    const auto joined = fused.runner.sums(*fused.runner.compile(), points);
    const auto single = plain.runner.sums(*plain.runner.compile(), points);
    EXPECT_GT(fused.device->counts().by_name.at("stage"), 0);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_NEAR(joined[k].loss_sum, single[k].loss_sum, 3e-3 * std::abs(single[k].loss_sum));
        EXPECT_EQ(joined[k].overflowed, 0);
        EXPECT_EQ(joined[k].counted, 3);
    }
}

/// Kernels for 32 x 32 and 28 x 28 pixels, with the channels of the usual networks and with few.
struct Width {
    std::int64_t channels;
    std::int64_t side;
};
class CudaStageExit : public ::testing::TestWithParam<Width> {};

TEST_P(CudaStageExit, AResidualNetworkIsThreeLaunches) {
    const auto [channels, side] = GetParam();
    HostDeviceOptions options = Emulated::small_tiles();
    options.shared_bytes = 227 << 10;
    Emulated fused(three_stages(projected_entry, channels, side), 3, options);
    // The network's first layer, and what leads to the next resolution: all but the head.
    EXPECT_THAT(fused.lengths(), ::testing::ElementsAre(5, 5, 3));
    EXPECT_TRUE(fused.reasons().empty());
    Emulated plain(three_stages(projected_entry, channels, side), 3, options);
    plain.runner.request().passes.stages = false;
    const auto executable = fused.runner.compile();
    for (const std::vector<double>& point : {std::vector<double>{0.0, 0.0}, {0.2, -0.1}}) {
        const double error = fused.runner.error(*executable, point);
        EXPECT_LT(error, 5e-3);
        EXPECT_GT(error, 2e-5);  // fp16 it is
    }
    EXPECT_EQ(executable->macs_per_sample(), plain.runner.compile()->macs_per_sample());
}

INSTANTIATE_TEST_SUITE_P(Widths, CudaStageExit, ::testing::Values(Width{16, 32}, Width{16, 28}, Width{4, 28}),
                         [](const auto& tested) {
                             return fmt::format("{}x{}", tested.param.channels, tested.param.side);
                         });

TEST(CudaStage, AnExitWhoseInputIsReadElsewhere) {
    Emulated emulated([] {
        ReferenceNet net({3, 16, 16}, 23);
        Handle x = block(net, net.relu(net.conv(net.input(), 32, 3, 1, 1, 1, true)), 32);
        const Handle down = net.conv(x, 48, 3, 2, 1, 1, true);  // no ReLU
        const Handle other = net.conv(x, 48, 1, 2, 0, 1, true);
        net.output(
            net.gemm(net.flatten(net.add(net.sigmoid(down), net.add(other, net.conv(x, 48, 3, 2, 1)))), 5, true));
        return net;
    }());
    // One of the two larger convolutions; not the 1x1 one, which adds something.
    EXPECT_THAT(emulated.lengths(), ::testing::ElementsAre(4));
    EXPECT_THAT(emulated.reasons(), ::testing::ElementsAre(kForm, kForm));
    EXPECT_LT(emulated.runner.error(*emulated.runner.compile(), {0.1, 0.0}), 5e-3);
}

TEST(CudaStage, AnExitWithoutAShortcutAndWithOtherWidths) {
    for (const std::int64_t width : {7, 24, 48, 64}) {
        Emulated emulated([width] {
            ReferenceNet net({3, 16, 16}, 24);
            const Handle x = block(net, net.relu(net.conv(net.input(), 32, 3, 1, 1, 1, true)), 32);
            net.output(net.gemm(net.flatten(net.sigmoid(net.conv(x, width, 3, 2, 1, 1, true))), 5, true));
            return net;
        }());
        EXPECT_THAT(emulated.lengths(), ::testing::ElementsAre(4)) << width;
        EXPECT_LT(emulated.runner.error(*emulated.runner.compile(), {0.1, 0.0}), 5e-3);
    }
}

TEST(CudaStage, PointsOfOneCallDoNotDependOnEachOther) {
    Emulated emulated(wide_net([](ReferenceNet& net, Handle x) { return block(net, x, 64); }));
    const auto executable = emulated.runner.compile();
    const auto together = emulated.runner.sums(*executable, {{{0.3, 0.0}}, {{0.0, 0.2}}, {{0.1, 0.1}}});
    EXPECT_EQ(emulated.runner.sums(*executable, {{{0.1, 0.1}}})[0], together[2]);
}

TEST(CudaStage, OnlyHalfPrecisionIsJoined) {
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
        Emulated emulated(wide_net([](ReferenceNet& net, Handle x) { return block(net, x, 64); }));
        emulated.runner.request().precision = precision;
        EXPECT_TRUE(emulated.stages().empty()) << name_of(precision);
    }
}

TEST(CudaStage, ATraceableNetworkShowsWhatStagesLeaveBehind) {
    const auto shown = [](bool joined) {
        Emulated emulated(wide_net([](ReferenceNet& net, Handle x) { return block(net, x, 64); }));
        emulated.runner.request().traceable = true;
        emulated.runner.request().passes.stages = joined;
        EXPECT_EQ(emulated.stages().empty(), !joined);
        return emulated.runner.compile()->trace({{0.0, 0.0}}, emulated.runner.chunk()).size();
    };
    EXPECT_EQ(shown(true) + 1, shown(false)) << "the first layer's result never leaves the stage of two";
}

TEST(CudaStage, ADeviceWithLittleSharedMemorySaysSo) {
    HostDeviceOptions options;
    options.shared_bytes = 99 << 10;
    Emulated emulated(wide_net([](ReferenceNet& net, Handle x) { return block(net, x, 64); }), 3, options);
    EXPECT_TRUE(emulated.stages().empty());
    const auto reasons = emulated.reasons();
    EXPECT_EQ(reasons.back(), "no kernel keeps 64 channels of 8 x 8 pixels in 99 KB");
    EXPECT_LT(emulated.runner.error(*emulated.runner.compile(), {0.1, 0.0}), 5e-3);
}

TEST(CudaStage, ChainsWithoutSkipsAndWithTheirOwnInputAdded) {
    Emulated emulated(wide_net([](ReferenceNet& net, Handle x) {
        x = net.relu(net.conv(x, 64, 3, 1, 1, 1, true));
        x = net.add(net.conv(x, 64, 3, 1, 1), x);  // its own input, nothing behind it
        return net.conv(x, 64, 3, 1, 1);
    }));
    EXPECT_EQ(emulated.stages().size(), 1u);
    EXPECT_LT(emulated.runner.error(*emulated.runner.compile(), {0.1, -0.1}), 5e-3);
}

TEST(CudaStage, AValueThatSomethingElseReadsEndsTheChain) {
    Emulated emulated(wide_net([](ReferenceNet& net, Handle x) {
        const Handle first = block(net, x, 64);
        const Handle second = block(net, first, 64);
        return net.add(second, net.sigmoid(first));
    }));
    EXPECT_EQ(emulated.stages().size(), 2u);
    EXPECT_LT(emulated.runner.error(*emulated.runner.compile(), {0.1, -0.1}), 5e-3);
}

TEST(CudaStage, OneLayerAloneIsNotJoined) {
    Emulated emulated(wide_net([](ReferenceNet& net, Handle x) {
        return net.sigmoid(net.conv(net.sigmoid(net.conv(x, 64, 3, 1, 1)), 64, 3, 1, 1));
    }));
    EXPECT_TRUE(emulated.stages().empty());
    EXPECT_THAT(emulated.reasons(), ::testing::ElementsAre(kForm, kAlone, kAlone));
}

TEST(CudaStage, AnotherActivationOrWindowIsNotJoined) {
    Emulated emulated(wide_net([](ReferenceNet& net, Handle x) {
        x = net.clip(net.conv(x, 64, 3, 1, 1), 0.0F, 6.0F);
        x = net.conv(x, 64, 3, 1, 1, 2);  // groups
        return net.conv(x, 64, 5, 1, 2);  // 5x5
    }));
    EXPECT_TRUE(emulated.stages().empty());
    EXPECT_THAT(emulated.reasons(), ::testing::ElementsAre(kForm, "its activation is not ReLU", kForm, kForm));
}

TEST(CudaStage, WhatOverflowsInsideIsComputedAgain) {
    const auto net = [] { return wide_net([](ReferenceNet& n, Handle x) { return block(n, x, 64); }); };
    Emulated half(net(), 5);
    Emulated exact(net(), 5);
    exact.runner.request().precision = Precision::fp32;
    for (Emulated* one : {&half, &exact})
        overflow_sample_3(one->runner);
    ASSERT_EQ(half.stages().size(), 1u);
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.1, 0.2}}};
    const auto expected = exact.runner.sums(*exact.runner.compile(), points);
    const auto actual = half.runner.sums(*half.runner.compile(), points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_EQ(actual[k].overflowed, 2) << "the tile of sample 3";
        EXPECT_EQ(actual[k].counted, 5);
        EXPECT_NEAR(actual[k].loss_sum, expected[k].loss_sum, 5e-3 * std::abs(expected[k].loss_sum));
    }
}

struct Network {
    const char* name;
    std::filesystem::path file;
    Shape sample;
};

/// Trained networks for CIFAR-10 and (this project's own) for Fashion-MNIST, on noise of the scale of normalised
/// images.
class CudaStageNetwork : public ::testing::TestWithParam<Network> {};

TEST_P(CudaStageNetwork, LossIsThatOfFp32) {
    if (!std::filesystem::exists(GetParam().file)) GTEST_SKIP() << GetParam().file << " is absent";
    Graph graph = import_onnx(GetParam().file);
    const ParameterSpace space = identify_parameters(graph);
    const StateVector origin = read_state(graph, space);
    NetworkRunner samples(ReferenceNet(GetParam().sample, 31), 2, 10, nullptr);
    const auto device = std::make_shared<HostDevice>(Emulated::small_tiles());
    const auto backend = cuda::make_cuda_backend({device});
    std::vector<float> direction(origin.weights.size());
    for (std::size_t k = 0; k < direction.size(); ++k)
        direction[k] = 0.05F * origin.weights[(k * 7919 + 13) % direction.size()];
    ExecutableRequest request = samples.request();
    request.graph = &graph;
    request.space = &space;
    request.origin = &origin;
    request.axes = {{direction, {}}};
    request.precision = Precision::fp16;
    request.tile_samples = 2;
    const std::vector<Point> points{{{1.0}}};
    const auto executable = backend->compile(request);
    const std::vector<double> errors = executable->precision_error(points, samples.chunk());
    EXPECT_EQ(device->counts().by_name.at("stage"), 3);
    const auto plan = nlohmann::json::parse(executable->plan_json());
    EXPECT_FALSE(plan.contains("outside_stages")) << plan.at("outside_stages").dump();
    EXPECT_LT(errors.at(0), 5e-3);
    request.passes.stages = false;
    std::vector<LossSums> joined(1), single(1);
    executable->evaluate(points, samples.chunk(), joined);
    backend->compile(request)->evaluate(points, samples.chunk(), single);
    EXPECT_NEAR(joined[0].loss_sum, single[0].loss_sum, 5e-3 * single[0].loss_sum);
    EXPECT_EQ(joined[0].overflowed, 0);
}

std::vector<Network> networks() {
    const std::filesystem::path demo = test::source_dir() / "configs/demo",
                                reference = test::reference_dir() / "models";
    return {{"resnet20_folded", reference / "resnet20_folded.onnx", {3, 32, 32}},
            {"resnet20", reference / "resnet20.onnx", {3, 32, 32}},
            {"resnet56", reference / "gold_resnet56.onnx", {3, 32, 32}},
            {"demo_resnet20", demo / "resnet20/model.onnx", {1, 28, 28}},
            {"demo_resnet20_without_skips", demo / "resnet20_noshort/model.onnx", {1, 28, 28}}};
}

INSTANTIATE_TEST_SUITE_P(Networks, CudaStageNetwork, ::testing::ValuesIn(networks()),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace lossmap
