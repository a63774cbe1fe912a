#include "cuda/backend/tiled_convolution.hpp"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/pass_choice.hpp"
#include "cuda/backend/plans/problem_text.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::cuda {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using ::testing::HasSubstr;
using ::testing::Not;

/// Of 5 x 5 to 16 filters, as in a LeNet.
ConvolutionProblem problem_of(std::int64_t images, std::int64_t channels, std::int64_t side) {
    ConvolutionProblem problem;
    problem.images = images;
    problem.channels = channels;
    problem.out_channels = 16;
    problem.input = {1, side, side};
    problem.kernel = {1, 5, 5};
    problem.output = {1, side - 4, side - 4};
    problem.bias = problem.relu = true;
    return problem;
}

/// Two convolutions of few channels, one with a shortcut, and a grouped one, which tiles do not compute.
test::ReferenceNet small_convolutions() {
    test::ReferenceNet net({1, 12, 10}, 7);
    const auto first = net.max_pool(net.relu(net.conv(net.input(), 6, 5, 1, 2, 1, true)), 2, 2, 0);
    const auto second = net.relu(net.add(net.batch_norm(net.conv(first, 6, 3, 1, 1)), first));
    const auto grouped = net.relu(net.conv(second, 6, 3, 1, 1, 2, true));
    net.output(net.gemm(net.flatten(grouped), 5, true));
    return net;
}

NetworkRunner runner_on(const std::shared_ptr<HostDevice>& device, Precision precision, const PlanOptions& plans = {}) {
    NetworkRunner runner(small_convolutions(), 9, 5, make_cuda_backend({device}, plans));
    runner.request().precision = precision;
    runner.request().tile_samples = 3;
    return runner;
}

TEST(TiledConvolution, IsAWayWhereItsKernelComputesTheProblem) {
    const DeviceFacts facts;
    const auto way = tiled_way(problem_of(64, 6, 14), facts);
    ASSERT_TRUE(way);
    EXPECT_EQ(way->joined, (JoinedWork{true, false, true}));
    ConvolutionProblem other = problem_of(64, 6, 14);
    other.residual = true;
    EXPECT_EQ(tiled_way(other, facts)->joined, (JoinedWork{true, false, false}));
    other.groups = 2;
    EXPECT_FALSE(tiled_way(other, facts));
    DeviceFacts without;
    without.tiles_convolutions = false;
    EXPECT_FALSE(tiled_way(problem_of(64, 6, 14), without));
}

TEST(TiledConvolution, IsTakenUnmeasuredForFewImagesOfFewChannels) {
    const DeviceFacts facts;
    EXPECT_TRUE(tiles_are_likely(problem_of(64, 6, 14), facts));
    // Tensor cores compute a large one faster, by more than is worth measuring.
    ConvolutionProblem large = problem_of(1000, 64, 36);
    large.type = DType::f16;
    large.precision = Precision::fp16;
    EXPECT_FALSE(tiles_are_likely(large, facts));
    EXPECT_FALSE(tiled_way(large, facts));
    large.images = 1;
    EXPECT_TRUE(tiled_way(large, facts));
}

TEST(TiledConvolution, PointsAreNamedWhereTheyAreComputedTogether) {
    ConvolutionProblem problem = problem_of(64, 6, 14);
    EXPECT_THAT(text_of(problem), Not(HasSubstr("of them")));
    problem.points = 12;
    problem.stride_images = 75'264;
    EXPECT_THAT(text_of(problem), HasSubstr(", 12 of them at 75264 0 0 0"));
}

TEST(TiledConvolution, OneLaunchComputesAllPoints) {
    for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
        const auto device = std::make_shared<HostDevice>();
        NetworkRunner runner = runner_on(device, precision);
        const auto executable = runner.compile();
        EXPECT_THAT(executable->plan_json(), HasSubstr("kernel convolution_tiles"));
        EXPECT_THAT(executable->plan_json(), HasSubstr("host loops")) << "the grouped convolution";
        const double bound = precision == Precision::fp32 ? 2e-5 : precision == Precision::fp16 ? 5e-3 : 4e-2;
        EXPECT_LT(runner.error(*executable, {0.3, -0.2}), bound) << name_of(precision);
        const auto sums = runner.sums(*executable, test::grid());
        EXPECT_EQ(runner.sums(*executable, test::grid()), sums);
    }
}

TEST(TiledConvolution, PoolingJoinsItAndChangesNoBits) {
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::fp16}) {
        NetworkRunner joined = runner_on(std::make_shared<HostDevice>(), precision);
        NetworkRunner apart = runner_on(std::make_shared<HostDevice>(), precision);
        apart.request().passes.pooling = false;
        const auto one = joined.compile();
        const auto other = apart.compile();
        EXPECT_THAT(other->plan_json(), HasSubstr("kernel pool"));
        if (precision == Precision::fp16)
            EXPECT_THAT(one->plan_json(), HasSubstr("kernel pool")) << "what overflows is looked for in front of it";
        else
            EXPECT_THAT(one->plan_json(), Not(HasSubstr("kernel pool")));
        EXPECT_EQ(joined.sums(*one, test::grid()), apart.sums(*other, test::grid())) << name_of(precision);
        EXPECT_LE(one->memory_bytes(), other->memory_bytes());
    }
}

TEST(TiledConvolution, WhatElseReadsAConvolutionKeepsItWhole) {
    test::ReferenceNet net({2, 8, 8}, 7);
    const auto layer = net.relu(net.conv(net.input(), 6, 3, 1, 1, 1, true));
    const auto pooled = net.conv(net.max_pool(layer, 2, 2, 0), 6, 3, 1, 1);
    // Pools of another size, and of what a shortcut has been added to, stay where they are.
    const auto other = net.max_pool(net.relu(net.conv(layer, 6, 3, 2, 1, 1, true)), 3, 1, 1);
    const auto last = net.max_pool(net.relu(net.add(net.conv(pooled, 6, 3, 1, 1), other)), 2, 2, 0);
    net.output(net.gemm(net.flatten(last), 5, true));
    NetworkRunner runner(net, 9, 5, make_cuda_backend({std::make_shared<HostDevice>()}, {}));
    runner.request().tile_samples = 3;
    const auto executable = runner.compile();
    const std::string plan = executable->plan_json();
    std::size_t pools = 0;
    for (std::size_t at = plan.find("kernel pool"); at != std::string::npos; at = plan.find("kernel pool", at + 1))
        ++pools;
    EXPECT_EQ(pools, 3u) << plan;
    EXPECT_LT(runner.error(*executable, {0.3, -0.2}), 2e-5);
}

TEST(TiledConvolution, ALeNetOfFewImagesTakesHundredsOfPoints) {
    test::ReferenceNet net({1, 28, 28}, 7);
    const auto first = net.max_pool(net.relu(net.conv(net.input(), 6, 5, 1, 2, 1, true)), 2, 2, 0);
    const auto second = net.max_pool(net.relu(net.conv(first, 16, 5, 1, 0, 1, true)), 2, 2, 0);
    net.output(net.gemm(net.relu(net.gemm(net.flatten(second), 60, true)), 10, true));
    HostDeviceOptions options;
    options.memory_bytes = std::int64_t{70} << 30;
    options.pass_bytes = std::int64_t{2} << 30;
    options.most_points = 1024;
    const auto device = std::make_shared<HostDevice>(options);
    NetworkRunner runner(net, 4, 10, make_cuda_backend({device}, {}));
    ExecutableRequest request = runner.request();
    request.graph = &runner.net().graph();
    request.space = &runner.net().space();
    request.origin = &runner.net().origin();
    request.total_points = 51 * 51;
    Planner planner(device, std::make_shared<WayChooser>(
                                nullptr, [](const std::string&) {}, 1));
    for (const std::int64_t samples : {64, 512}) {
        request.chunk_samples = samples;
        const BuildOptions pass = choose_passes(request, planner, {}).inference;
        EXPECT_GE(pass.points * pass.tile_samples, 128 * 64) << pass.points << " of " << pass.tile_samples;
        EXPECT_GE(pass.points, samples == 64 ? 128 : 16) << pass.tile_samples;
    }
}

TEST(TiledConvolution, PointsDoNotDependOnTheirNumber) {
    const auto device = std::make_shared<HostDevice>();
    NetworkRunner many = runner_on(device, Precision::fp32);
    NetworkRunner alone = runner_on(device, Precision::fp32);
    alone.request().tile_points = 1;
    EXPECT_EQ(many.sums(*many.compile(), test::grid()), alone.sums(*alone.compile(), test::grid()));
}

TEST(TiledConvolution, IsMeasuredAgainstTheLibraryAndKept) {
    const test::TemporaryDirectory folder;
    PlanOptions plans;
    plans.folder = folder.path();
    HostDeviceOptions options;
    // The library's ways take time on the emulated clock, kernels of ours take none.
    options.ways.front().seconds = 1e-3;
    const auto device = std::make_shared<HostDevice>(options);
    NetworkRunner first = runner_on(device, Precision::fp32, plans);
    const std::string plan = first.compile()->plan_json();
    EXPECT_GT(device->counts().timed_marks, 0);
    EXPECT_THAT(plan, HasSubstr("\"convolution_tiles\""));
    const auto again = std::make_shared<HostDevice>(options);
    NetworkRunner second = runner_on(again, Precision::fp32, plans);
    EXPECT_EQ(second.compile()->plan_json(), plan);
    EXPECT_EQ(again->counts().timed_marks, 0);
}

}  // namespace
}  // namespace lossmap::cuda
