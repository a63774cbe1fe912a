#include "cuda/backend/dense_chain.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/pass_choice.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap::cuda {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::ReferenceNet;
using ::testing::HasSubstr;
using ::testing::Not;

/// Three layers, one of them transposed, one by MatMul and Add, one with a batch norm in it, and an activation that is
/// a node of its own.
ReferenceNet small_mlp() {
    ReferenceNet net({19}, 7);
    const auto first = net.relu(net.batch_norm(net.gemm(net.input(), 24, true, 0.5F, 2.0F)));
    const auto second = net.sigmoid(net.linear(first, 13));
    net.output(net.gemm(second, 5, false));
    return net;
}

NetworkRunner runner_of(ReferenceNet net, Precision precision, const HostDeviceOptions& options = {}) {
    NetworkRunner runner(std::move(net), 9, 5, make_cuda_backend({std::make_shared<HostDevice>(options)}, {}));
    runner.request().precision = precision;
    runner.request().tile_samples = 4;
    return runner;
}

nlohmann::json plan_of(const Executable& executable) { return nlohmann::json::parse(executable.plan_json()); }

/// Of a tile's operations, those that a kernel computes.
std::int64_t launches_of(const nlohmann::json& plan, const std::string& by) {
    const auto& list = plan.at("operations").at("per_tile");
    return std::count_if(list.begin(), list.end(), [&](const auto& one) { return one.at("by") == by; });
}

kernels::DenseChainArgs shape_of(const std::vector<std::int32_t>& widths,
                                 kernels::UnaryOp activation = kernels::UnaryOp::relu) {
    kernels::DenseChainArgs shape;
    shape.layers = static_cast<int>(widths.size()) - 1;
    std::copy(widths.begin(), widths.end(), shape.widths);
    for (int k = 0; k + 1 < shape.layers; ++k)
        shape.activations[k].op = activation;
    return shape;
}

TEST(DenseChain, OneLaunchComputesAllLayersOfAllPoints) {
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        NetworkRunner runner = runner_of(small_mlp(), precision);
        const auto executable = runner.compile();
        const auto plan = plan_of(*executable);
        EXPECT_EQ(plan.at("operations").at("per_tile").size(), 1u) << plan.dump(1);
        EXPECT_EQ(launches_of(plan, "kernel dense_chain"), 1);
        ASSERT_EQ(plan.at("dense_chains").size(), 1u);
        EXPECT_EQ(plan.at("dense_chains")[0].size(), 3u);
        // Nothing is rounded between layers; inputs are fp32, weights of the precision.
        const double bound = precision == Precision::fp16 ? 2e-3 : precision == Precision::bf16 ? 2e-2 : 2e-5;
        EXPECT_LT(runner.error(*executable, {0.3, -0.2}), bound) << name_of(precision);
        const auto sums = runner.sums(*executable, test::grid());
        EXPECT_EQ(runner.sums(*executable, test::grid()), sums);
    }
}

TEST(DenseChain, IsLeftOutWhereItsPassIsOrValuesAreTraced) {
    for (const bool traced : {false, true}) {
        NetworkRunner runner = runner_of(small_mlp(), Precision::fp32);
        runner.request().passes.dense_chains = traced;
        runner.request().traceable = traced;
        const auto executable = runner.compile();
        EXPECT_THAT(executable->plan_json(), Not(HasSubstr("dense_chain\"")));
        EXPECT_EQ(plan_of(*executable).at("passes").at("dense_chains"), traced);
        EXPECT_LT(runner.error(*executable, {0.3, -0.2}), 2e-5);
    }
}

TEST(DenseChain, BitsOfAPointDoNotDependOnPointsAndSamplesOfAPass) {
    NetworkRunner many = runner_of(small_mlp(), Precision::fp32);
    const auto expected = many.sums(*many.compile(), test::grid());
    for (const bool reversed : {false, true}) {
        HostDeviceOptions options;
        options.reversed = reversed;
        NetworkRunner alone = runner_of(small_mlp(), Precision::fp32, options);
        alone.request().tile_points = 1;
        EXPECT_EQ(alone.sums(*alone.compile(), test::grid()), expected);
    }
}

TEST(DenseChain, WhatElseReadsAResultEndsIt) {
    ReferenceNet net({11}, 7);
    const auto a = net.relu(net.gemm(net.input(), 8, true));
    const auto b = net.relu(net.gemm(a, 8, true));
    // Read twice: by the next layer and by a shortcut, which no chain adds.
    const auto c = net.relu(net.add(net.gemm(b, 8, true), b));
    const auto d = net.sigmoid(net.gemm(c, 6, true));
    net.output(net.gemm(d, 5, true));
    NetworkRunner runner = runner_of(std::move(net), Precision::fp32);
    const auto executable = runner.compile();
    const auto plan = plan_of(*executable);
    ASSERT_EQ(launches_of(plan, "kernel dense_chain"), 2) << plan.dump(1);
    EXPECT_EQ(plan.at("dense_chains")[0].size(), 2u);
    EXPECT_EQ(plan.at("dense_chains")[1].size(), 2u);
    EXPECT_LT(runner.error(*executable, {0.3, -0.2}), 2e-5);
}

TEST(DenseChain, BeginsBehindWhatIsNone) {
    ReferenceNet net({3, 8}, 7);
    const auto tokens = net.sigmoid(net.tokens_in_front(net.input(), 12));
    net.output(net.gemm(net.sigmoid(net.gemm(net.flatten(tokens), 9, true)), 5, true));
    for (const Precision precision : {Precision::fp32, Precision::fp16}) {
        NetworkRunner runner = runner_of(net, precision);
        const auto executable = runner.compile();
        EXPECT_THAT(executable->plan_json(), HasSubstr("kernel dense_chain"));
        EXPECT_LT(runner.error(*executable, {0.3, -0.2}), precision == Precision::fp32 ? 2e-5 : 5e-3);
    }
}

TEST(DenseChain, WhatF16DoesNotHoldIsFlaggedAsLayerByLayer) {
    const auto overflowing = [] {
        ReferenceNet net({10}, 5);
        net.output(net.gemm(net.relu(net.gemm(net.input(), 8, true)), 5, true));
        // The first layer's sums are near -1e5; the ReLU behind it makes them 0.
        auto& weights = net.origin().weights;
        std::fill_n(weights.begin() + 80, 4, -1e5F);
        return net;
    };
    NetworkRunner exact = runner_of(overflowing(), Precision::fp32);
    NetworkRunner chain = runner_of(overflowing(), Precision::fp16);
    NetworkRunner apart = runner_of(overflowing(), Precision::fp16);
    apart.request().passes.dense_chains = false;
    const auto expected = exact.sums(*exact.compile(), test::grid());
    const auto together = chain.compile();
    ASSERT_THAT(together->plan_json(), HasSubstr("kernel dense_chain"));
    const auto sums = chain.sums(*together, test::grid());
    const auto others = apart.sums(*apart.compile(), test::grid());
    for (std::size_t k = 0; k < sums.size(); ++k) {
        EXPECT_EQ(sums[k].overflowed, 9);
        EXPECT_EQ(others[k].overflowed, 9);
        LossSums rest = sums[k];
        rest.overflowed = 0;
        EXPECT_EQ(rest, expected[k]) << "computed again in fp32, by the chain, too";
    }
}

TEST(DenseChain, IsTakenWhereItsModelIsClearlyFaster) {
    const DeviceFacts facts;
    const auto pays = [&](const std::vector<std::int32_t>& widths, Precision precision) {
        const DType type = precision == Precision::fp16   ? DType::f16
                           : precision == Precision::bf16 ? DType::bf16
                                                          : DType::f32;
        return dense_chain_pays(shape_of(widths, kernels::UnaryOp::tanh), type, precision, facts);
    };
    EXPECT_TRUE(pays({64, 48, 32, 10}, Precision::fp32));
    EXPECT_TRUE(pays({16, 16, 16, 8}, Precision::bf16));
    // Wide layers are the library's, on tensor cores all the more.
    EXPECT_FALSE(pays({784, 256, 256, 10}, Precision::fp32));
    for (const Precision precision : {Precision::tf32, Precision::fp16, Precision::bf16})
        EXPECT_FALSE(pays({256, 128, 128, 10}, precision)) << name_of(precision);
}

TEST(DenseChain, AnMlpOfFewSamplesTakesHundredsOfPoints) {
    ReferenceNet net({64}, 7);
    net.output(net.gemm(net.sigmoid(net.gemm(net.sigmoid(net.gemm(net.input(), 48, true)), 32, true)), 5, true));
    HostDeviceOptions options;
    options.memory_bytes = std::int64_t{70} << 30;
    options.pass_bytes = std::int64_t{2} << 30;
    options.most_points = 1024;
    const auto device = std::make_shared<HostDevice>(options);
    NetworkRunner runner(net, 4, 5, make_cuda_backend({device}, {}));
    ExecutableRequest request = runner.request();
    request.graph = &runner.net().graph();
    request.space = &runner.net().space();
    request.origin = &runner.net().origin();
    request.total_points = 51 * 51;
    request.chunk_samples = 128;
    Planner planner(device, std::make_shared<WayChooser>(
                                nullptr, [](const std::string&) {}, 1));
    const BuildOptions pass = choose_passes(request, planner, {}).inference;
    EXPECT_GE(pass.points * pass.tile_samples, 256 * 128) << pass.points << " of " << pass.tile_samples;
}

}  // namespace
}  // namespace lossmap::cuda
