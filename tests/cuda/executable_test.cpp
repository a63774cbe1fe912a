#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::ReferenceNet;
using test::small_net;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Emulated {
    explicit Emulated(const HostDeviceOptions& options = {}) : device(std::make_shared<HostDevice>(options)) {}

    [[nodiscard]] NetworkRunner runner(ReferenceNet net, std::int64_t samples) const {
        return {std::move(net), samples, 5, std::shared_ptr<Backend>(cuda::make_cuda_backend({device}))};
    }

    std::shared_ptr<HostDevice> device;
};

std::vector<Point> line(int count) {
    std::vector<Point> points;
    for (int k = 0; k < count; ++k)
        points.push_back({{0.1 * k, -0.05 * k}});
    return points;
}

TEST(CudaExecutable, SamplesMayBeLargerThanWhatIsStagedAtATime) {
    ReferenceNet net({2, 800, 800}, 7);  // 5 MB
    net.output(net.gemm(net.flatten(net.global_average_pool(net.input())), 5, true));
    HostDeviceOptions options;
    options.pass_bytes = std::int64_t{20} << 20;
    const Emulated emulated(options);
    NetworkRunner runner = emulated.runner(std::move(net), 3);
    EXPECT_LT(runner.error(*runner.compile(), {0.5, -0.25}), 2e-5);
}

TEST(CudaExecutable, RecordsOnceAndReplaysTheRest) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 13);
    runner.request().tile_samples = 2;
    const auto executable = runner.compile();
    EXPECT_EQ(executable->points_per_pass(), 4);
    static_cast<void>(runner.sums(*executable, line(16)));
    // 4 blocks of 7 tiles: the first tile of each of the two sets warms up, the others are replays; so with the
    // weights.
    EXPECT_EQ(emulated.device->counts().recordings, 4);
    EXPECT_EQ(emulated.device->counts().replays, (4 * 7 - 2) + (4 - 2));
}

TEST(CudaExecutable, ADeviceThatMakesNoRecordingsComputesTheSame) {
    std::vector<std::string> notices;
    const auto sums = [&](bool records) {
        HostDeviceOptions options;
        options.records = records;
        const auto device = std::make_shared<HostDevice>(options);
        const auto notice = [&](const std::string& sentence) { notices.push_back(sentence); };
        NetworkRunner runner(small_net(), 13, 5, cuda::make_cuda_backend({device}, {.folder = {}, .notice = notice}));
        runner.request().tile_samples = 2;
        auto result = runner.sums(*runner.compile(), line(16));
        EXPECT_EQ(device->counts().recordings, records ? 4 : 0);
        return result;
    };
    const auto recorded = sums(true);
    EXPECT_THAT(notices, ::testing::IsEmpty());
    EXPECT_EQ(sums(false), recorded);
    EXPECT_THAT(notices, ::testing::ElementsAre(HasSubstr("cuda:0: passes cannot be recorded")));
}

TEST(CudaExecutable, TargetsThatTheLossDoesNotReadAreLeftAlone) {
    ReferenceNet net({5}, 3);
    net.output(net.gemm(net.input(), 1, true));
    NetworkRunner runner = Emulated().runner(std::move(net), 3);  // its samples have labels
    runner.request().loss.kind = LossKind::output;
    const std::vector<double> outputs = runner.reference({0.5, -0.25});
    const LossSums sums = runner.sums(*runner.compile(), {{{0.5, -0.25}}})[0];
    EXPECT_NEAR(sums.loss_sum, outputs[0] + outputs[1] + outputs[2], 1e-5);
    EXPECT_EQ(sums.counted, 3);
}

TEST(CudaExecutable, APassOfMorePointsThanALibraryMultipliesAtOnceTakesSeveralProducts) {
    const auto losses = [](std::int64_t most) {
        ReferenceNet net({5}, 3);
        net.output(net.gemm(net.input(), 4, true));
        HostDeviceOptions options;
        options.most_products = most;
        const Emulated emulated(options);
        NetworkRunner runner = emulated.runner(std::move(net), 3);
        const auto executable = runner.compile();
        EXPECT_EQ(executable->points_per_pass(), 4);
        std::vector<double> result;
        for (const LossSums& sums : runner.sums(*executable, line(4)))
            result.push_back(sums.loss_sum);
        return result;
    };
    const std::vector<double> at_once = losses(4);
    EXPECT_NE(at_once[2], at_once[3]);
    for (const std::int64_t most : {3, 2, 1})
        EXPECT_EQ(losses(most), at_once) << most;
}

TEST(CudaExecutable, OnlySumsComeBackToTheHost) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 8);
    runner.request().tile_samples = 4;
    const auto executable = runner.compile();
    const std::int64_t before = emulated.device->counts().bytes_to_host;
    static_cast<void>(runner.sums(*executable, line(8)));
    const std::int64_t bytes = emulated.device->counts().bytes_to_host - before;
    // Two blocks: sums of 2 tiles x 4 points, a flag a point, two words of faults.
    EXPECT_EQ(bytes, 2 * (2 * 4 * static_cast<std::int64_t>(sizeof(kernels::DeviceLossSums)) + 4 * 4 + 8));
}

TEST(CudaExecutable, MemoryDoesNotDependOnTheNumberOfPoints) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 8);
    const auto executable = runner.compile();
    static_cast<void>(runner.sums(*executable, line(8)));
    const std::int64_t few = emulated.device->bytes_in_use();
    static_cast<void>(runner.sums(*executable, line(50)));
    EXPECT_EQ(emulated.device->bytes_in_use(), few);
    EXPECT_GE(few, executable->memory_bytes());
}

TEST(CudaExecutable, LeavesRoomForTheSamplesThatStay) {
    HostDeviceOptions options;
    options.memory_bytes = std::int64_t{1} << 20;
    options.pass_bytes = options.memory_bytes;
    options.most_points = 1024;
    const auto memory = [&](std::int64_t samples) {
        NetworkRunner runner = Emulated(options).runner(small_net(), 8);
        runner.request().tile_samples = 8;
        runner.request().total_samples = samples;
        return runner.compile()->memory_bytes();
    };
    // A quarter of the memory at most, whatever their number; passes are larger where there are few of them.
    const std::int64_t kept = options.memory_bytes / 4;
    const std::int64_t passes = memory(1000);
    EXPECT_LE(static_cast<double>(passes + kept), 0.9 * static_cast<double>(options.memory_bytes));
    EXPECT_EQ(memory(1000000), passes);
    EXPECT_EQ(memory(0), passes) << "their number is not known";
    EXPECT_GT(memory(10), passes);
}

TEST(CudaExecutable, GivesAllMemoryBack) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 8);
    static_cast<void>(runner.sums(*runner.compile(), line(3)));
    EXPECT_EQ(emulated.device->bytes_in_use(), 0);
}

TEST(CudaExecutable, SaysWhenTheMemoryDoesNotSuffice) {
    HostDeviceOptions options;
    options.memory_bytes = 20000;
    const Emulated emulated(options);
    NetworkRunner runner = emulated.runner(small_net(), 8);
    try {
        static_cast<void>(runner.compile());
        FAIL() << "20 kB are enough?";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr("of device memory"));
    }
}

TEST(CudaExecutable, RecordsWhatComputesEachOperation) {
    HostDeviceOptions options;
    for (const bool has_convolutions : {true, false}) {
        options.has_convolutions = has_convolutions;
        options.tiles_convolutions = false;
        const Emulated emulated(options);
        NetworkRunner runner = emulated.runner(small_net(), 8);
        runner.request().tile_samples = 2;
        const std::string plan = runner.compile()->plan_json();
        EXPECT_THAT(plan, HasSubstr("\"points\":4"));
        EXPECT_THAT(plan, HasSubstr("\"architecture\":\"host\""));
        EXPECT_THAT(plan, HasSubstr(has_convolutions ? "host loops" : "kernel convolution"));
    }
}

TEST(CudaExecutable, NamesEveryOperatorThatItLacks) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 8);
    Graph graph = runner.net().graph();
    std::vector<std::string> names;
    for (Node& node : graph.nodes) {
        if (node.op_type != "Relu") continue;
        node.op_type = "NonMaxSuppressionOfMyOwn";
        names.push_back(node.name);
    }
    ASSERT_EQ(names.size(), 2u);
    ExecutableRequest request = runner.request();
    request.graph = &graph;
    request.space = &runner.net().space();
    request.origin = &runner.net().origin();
    const auto backend = cuda::make_cuda_backend({emulated.device});
    const std::string sentence = backend->why_not(request);
    for (const std::string& name : names)
        EXPECT_THAT(sentence, HasSubstr(name));
    EXPECT_THROW(static_cast<void>(backend->compile(request)), UnsupportedError);
}

TEST(CudaExecutable, ALabelThatIsNoClassIsRefusedByItsSample) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 8);
    const_cast<SampleChunk&>(runner.chunk()).target.as<std::int64_t>()[6] = 5;
    try {
        static_cast<void>(runner.sums(*runner.compile(), line(1)));
        FAIL() << "class 5 of 5";
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(), "sample 106: label 5 is not one of the 5 classes");
    }
}

TEST(CudaExecutable, OperationsAreMeasuredOnTheDevicesClock) {
    HostDeviceOptions options;
    options.ways.front().seconds = 1e-3;
    options.tiles_convolutions = false;
    const Emulated emulated(options);
    NetworkRunner runner = emulated.runner(small_net(), 13);
    runner.request().tile_samples = 2;
    const auto times = runner.compile()->measure_operations(runner.chunk());
    ASSERT_TRUE(times);
    EXPECT_EQ(times->points, 4);
    EXPECT_EQ(times->samples, 2);
    std::vector<double> milliseconds;
    for (const OperationTime& operation : times->tile) {
        if (operation.seconds == 0.0) continue;
        EXPECT_EQ(operation.implementation, "host loops") << operation.name;
        milliseconds.push_back(1e3 * operation.seconds);
    }
    // The library's convolutions run once a point, the last layer for all points at once.
    EXPECT_THAT(milliseconds, ElementsAre(DoubleNear(4.0, 1e-6), DoubleNear(4.0, 1e-6), DoubleNear(1.0, 1e-6)));
}

TEST(CudaExecutable, ShowsTheValuesOfATraceableNetwork) {
    const Emulated emulated;
    NetworkRunner runner = emulated.runner(small_net(), 4);
    runner.request().traceable = true;
    const auto executable = runner.compile();
    const Point point{{0.5, 0.25}};
    const std::vector<NamedTensor> values = executable->trace(point, runner.chunk());
    ASSERT_FALSE(values.empty());
    const Tensor output = executable->forward(point, runner.chunk());
    const auto expected = output.as<float>();
    const auto last = values.back().value.as<float>();
    ASSERT_GE(last.size(), expected.size());
    for (std::size_t k = 0; k < expected.size(); ++k)
        EXPECT_EQ(last[k], expected[k]);
}

}  // namespace
}  // namespace lossmap
