#include "backend/comparing_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/byte_samples.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::small_net;
using ::testing::HasSubstr;

/// Request whose pointers stay: the comparing backend needs them.
struct Case {
    explicit Case(std::shared_ptr<Backend> tested)
        : runner(small_net(), 5, 5, make_cpu_backend()),
          backend(make_comparing_backend(make_cpu_backend(), std::move(tested), 1e-5)),
          request(runner.request()) {
        request.graph = &runner.net().graph();
        request.space = &runner.net().space();
        request.origin = &runner.net().origin();
        request.axes = {{runner.direction(0), {}}};
    }

    NetworkRunner runner;
    std::unique_ptr<Backend> backend;
    ExecutableRequest request;
};

std::shared_ptr<Backend> emulated(const HostDeviceOptions& options) {
    return cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
}

/// Of the first step that is shown as a whole.
std::string first_result(const Case& c) {
    for (const Node& node : c.request.graph->nodes) {
        if (node.op_type == "Relu") return c.request.graph->value(node.outputs[0]).name;
    }
    return "";
}

TEST(ComparingBackend, BackendsThatAgreeGiveTheFirstOnesResults) {
    Case c(emulated({}));
    EXPECT_EQ(c.backend->name(), "cpu+cuda");
    EXPECT_EQ(c.backend->why_not(c.request), "");
    const auto executable = c.backend->compile(c.request);
    const std::vector<Point> points{{{0.0}}, {{0.5}}};
    std::vector<LossSums> sums(2);
    executable->evaluate(points, c.runner.chunk(), sums);
    std::vector<LossSums> expected(2);
    make_cpu_backend()->compile(c.request)->evaluate(points, c.runner.chunk(), expected);
    EXPECT_EQ(sums, expected);
    EXPECT_EQ(executable->forward(points[1], c.runner.chunk()).count(), 25);
}

TEST(ComparingBackend, BytesAreComparedLayerByLayerToo) {
    HostDeviceOptions options;
    options.tiles_convolutions = false;
    for (const bool sound : {true, false}) {
        options.spoils = [&](const cuda::ConvolutionProblem&) { return !sound; };
        Case c(emulated(options));
        EXPECT_TRUE(c.backend->prefers_bytes());
        c.request.inputs[0].byte_channels = 3;
        const SampleChunk bytes = test::with_bytes(c.runner.chunk(), 3);
        const auto executable = c.backend->compile(c.request);
        const std::vector<Point> points{{{0.25}}};
        std::vector<LossSums> sums(1);
        std::string message;
        try {
            executable->evaluate(points, bytes, sums);
        } catch (const Error& error) {
            message = error.what();
        }
        // All nodes are computed from the bytes once more; the first one's result is the one that is wrong.
        EXPECT_EQ(message.empty(), sound) << message;
        if (!sound) {
            EXPECT_THAT(message, HasSubstr("the first value to differ is '" + first_result(c) + "'"));
        }
    }
}

TEST(ComparingBackend, StatisticsAreComparedToo) {
    const std::vector<Point> points{{{0.25}}};
    std::vector<StatisticSums> sums(1);
    Case good(emulated({}));
    good.request.statistics_batches = {5};
    good.backend->compile(good.request)->estimate_statistics(points, good.runner.chunk(), 5, sums);
    EXPECT_EQ(sums[0].batches, 1);
    HostDeviceOptions options;
    options.tiles_convolutions = false;
    // Norms are not folded into it, as they are for inference.
    options.spoils = [](const cuda::ConvolutionProblem& one) { return !one.bias; };
    Case bad(emulated(options));
    bad.request.statistics_batches = {5};
    const auto executable = bad.backend->compile(bad.request);
    try {
        executable->estimate_statistics(points, bad.runner.chunk(), 5, sums);
        FAIL() << "the difference was not found";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("statistics of batch norms over 5 samples"));
    }
}

TEST(ComparingBackend, ADeviceWithAWrongLayerIsFoundByTheLayersName) {
    // The second convolution of the network comes out wrong.
    HostDeviceOptions options;
    options.tiles_convolutions = false;
    options.spoils = [](const cuda::ConvolutionProblem& one) { return one.channels == 8; };
    Case c(emulated(options));
    const auto executable = c.backend->compile(c.request);
    const std::vector<Point> points{{{0.25}}};
    std::vector<LossSums> sums(1);
    std::string expected;
    for (const Node& node : c.request.graph->nodes) {
        if (node.op_type == "Relu") expected = c.request.graph->value(node.outputs[0]).name;  // the last one
    }
    try {
        executable->evaluate(points, c.runner.chunk(), sums);
        FAIL() << "the difference was not found";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("the first value to differ is '" + expected + "'"));
    }
    EXPECT_THROW(static_cast<void>(executable->forward(points[0], c.runner.chunk())), Error);
}

}  // namespace
}  // namespace lossmap
