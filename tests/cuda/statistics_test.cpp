#include <cmath>
#include <filesystem>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "data/dataset_factory.hpp"
#include "io/npz.hpp"
#include "landscape/direction.hpp"
#include "landscape/reestimating_executable.hpp"
#include "onnx_import/importer.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::small_net;
using ::testing::HasSubstr;

constexpr std::int64_t kBatch = 2;

std::unique_ptr<Executable> compile(const HostDeviceOptions& options, Precision precision = Precision::fp32,
                                    std::int64_t* bytes_in_use = nullptr) {
    const auto device = std::make_shared<HostDevice>(options);
    NetworkRunner runner(small_net(), 1, 5, cuda::make_cuda_backend({device}));
    runner.request().statistics_batches = {kBatch};
    runner.request().precision = precision;
    auto executable = runner.compile();
    if (bytes_in_use != nullptr) *bytes_in_use = device->bytes_in_use();
    return executable;
}

std::vector<StatisticSums> estimate(Executable& executable) {
    const NetworkRunner runner(small_net(), 10, 5, nullptr);
    const std::vector<Point> points = test::grid();
    std::vector<StatisticSums> sums(points.size());
    executable.estimate_statistics(points, runner.chunk(), kBatch, sums);
    return sums;
}

TEST(CudaStatistics, DoNotDependOnHowMuchGoesThroughAPass) {
    HostDeviceOptions small;
    small.pass_bytes = 1;  // one point a pass, one batch on the way to the host
    small.pace = test::Pace::eager;
    const auto narrow = compile(small);
    EXPECT_THAT(narrow->plan_json(), HasSubstr("\"statistics\":[{\"batch_samples\":2,\"points\":1"));
    const auto wide = compile({});
    EXPECT_THAT(wide->plan_json(), HasSubstr("\"statistics\":[{\"batch_samples\":2,\"points\":4"));
    const std::vector<StatisticSums> expected = estimate(*wide);
    const std::vector<StatisticSums> sums = estimate(*narrow);
    for (std::size_t k = 0; k < sums.size(); ++k) {
        EXPECT_EQ(sums[k].sums, expected[k].sums);
        EXPECT_EQ(sums[k].batches, 5);
    }
}

TEST(CudaStatistics, AreEstimatedInSinglePrecisionAlways) {
    const std::vector<StatisticSums> expected = estimate(*compile({}));
    for (const Precision precision : {Precision::tf32, Precision::fp16, Precision::bf16}) {
        const std::vector<StatisticSums> sums = estimate(*compile({}, precision));
        for (std::size_t k = 0; k < sums.size(); ++k)
            EXPECT_EQ(sums[k].sums, expected[k].sums) << name_of(precision);
    }
}

TEST(CudaStatistics, TheirProgramsCountAsMemoryAndArePartOfThePlan) {
    std::int64_t bytes_in_use = 0;
    const auto executable = compile({}, Precision::fp32, &bytes_in_use);
    EXPECT_LE(executable->memory_bytes(), bytes_in_use);
    EXPECT_GE(executable->memory_bytes(), bytes_in_use * 9 / 10);
    EXPECT_THAT(executable->plan_json(), HasSubstr("\"statistics\":[{\"batch_samples\":2,\"points\":4"));
    EXPECT_THAT(executable->plan_json(), HasSubstr("kernel batch_statistics"));
}

TEST(CudaStatistics, ABatchThatDoesNotFitIsRefused) {
    const auto device = std::make_shared<HostDevice>();
    NetworkRunner runner(small_net(), 1, 5, cuda::make_cuda_backend({device}));
    runner.request().statistics_batches = {std::int64_t{1} << 20};
    try {
        static_cast<void>(runner.compile());
        FAIL() << "a million samples fit into a gigabyte?";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr("of device memory"));
    }
}

/// A line between two demo networks, as tests/reference/write_reestimated.py had PyTorch compute it.
class ReestimatedLine : public ::testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::exists(kImages)) GTEST_SKIP() << "no data set at " << kImages;
        const auto demo = test::source_dir() / "configs" / "demo";
        graph_ = import_onnx(demo / "vgg9_sgd_wd5e-4_bs128" / "epoch_12.onnx");
        space_ = identify_parameters(graph_);
        origin_ = read_state(graph_, space_);
        Graph other = import_onnx(demo / "vgg9_sgd_wd5e-4_bs2048" / "epoch_12.onnx");
        axis_ = difference(read_state(other, identify_parameters(other)), origin_, false);
    }

    static std::shared_ptr<const Dataset> samples(std::int64_t count) {
        DataSpec spec;
        spec.format = DataFormat::idx;
        spec.files.images = {kImages};
        spec.files.labels = {kLabels};
        spec.mean = {0.286F};
        spec.std = {0.353F};
        spec.subset = SubsetSpec{0, count};
        DataExpectation expectation;
        expectation.inputs = {{"input", DType::f32, {1, 28, 28}}};
        expectation.classes = 10;
        return open_dataset(spec, expectation);
    }

    static inline const std::string kImages = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";
    static inline const std::string kLabels = "/usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz";
    Graph graph_;
    ParameterSpace space_;
    StateVector origin_;
    Direction axis_;
};

TEST_F(ReestimatedLine, AgreesWithPyTorchInTheMiddle) {
    const NpzFile theirs(test::source_dir() / "tests" / "reference" / "vgg9_reestimate.npz");
    const auto scalar = [&](const char* name) { return theirs.load(name).as<std::int64_t>()[0]; };
    const StatisticsSamples statistics{samples(scalar("statistics")), scalar("batch")};
    const SampleChunk chunk = samples(scalar("samples"))->read(0, scalar("samples"));
    ExecutableRequest request;
    request.graph = &graph_;
    request.space = &space_;
    request.origin = &origin_;
    request.axes = {{axis_.weights, {}}};
    request.inputs = {{"input", DType::f32, {1, 28, 28}}};
    request.target = {"target", DType::i64, {}};
    request.statistics_batches = statistics.batch_sizes();
    HostDeviceOptions options;
    options.most_points = 1;
    ReestimatingExecutable executable(
        cuda::make_cuda_backend({std::make_shared<HostDevice>(options)})->compile(request), statistics, nullptr);
    constexpr std::size_t kMiddle = 10;
    const Point point{{theirs.load("x").as<double>()[kMiddle]}};
    EXPECT_EQ(point.coordinates[0], 0.5);
    LossSums sums;
    executable.evaluate({&point, 1}, chunk, {&sums, 1});
    const double expected = theirs.load("loss").as<double>()[kMiddle];
    const double loss = sums.loss_sum / sums.weight_sum;
    std::cout << "relative difference from PyTorch " << std::abs(loss / expected - 1.0) << '\n';
    EXPECT_NEAR(loss, expected, 1e-4 * expected);
    EXPECT_NEAR(100.0 * static_cast<double>(sums.correct) / static_cast<double>(sums.counted),
                theirs.load("accuracy").as<double>()[kMiddle], 0.1 + 1e-9);
}

}  // namespace
}  // namespace lossmap
