// Networks as they are used, a few images each: the CUDA backend on an emulated device gives the CPU backend's losses.
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "cpu/plan_record.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

/// How convolutions are computed: layer by layer in fp32, or in stages on emulated tensor cores, which takes its time.
enum class Arithmetic : std::uint8_t { layers, split, tf32 };

/// Of a loss; tf32: a few units of 2^-11.
double tolerance(Arithmetic arithmetic) { return arithmetic == Arithmetic::tf32 ? 2e-3 : 1e-4; }

class Network {
public:
    Network(const std::filesystem::path& file, Arithmetic arithmetic)
        : graph_(import_onnx(file)), space_(identify_parameters(graph_)), origin_(read_state(graph_, space_)) {
        const bool stages = arithmetic != Arithmetic::layers;
        const std::int64_t images = stages ? 2 : 3;
        request_.passes.split_stages = arithmetic == Arithmetic::split;
        if (stages) request_.tile_samples = static_cast<int>(images);
        Shape sample;
        for (const auto& dimension : std::span(graph_.value(graph_.inputs[0]).declared).subspan(1))
            sample.push_back(dimension.extent);
        Shape batch = sample;
        batch.insert(batch.begin(), images);
        chunk_.count = images;
        chunk_.inputs.emplace_back(DType::f32, batch);
        chunk_.target = Tensor(DType::i64, Shape{images});
        // Irrational steps: no value comes twice, and no two axes or weights are alike.
        auto pixels = chunk_.inputs[0].as<float>();
        for (std::size_t k = 0; k < pixels.size(); ++k)
            pixels[k] = static_cast<float>(std::sin(0.37 * static_cast<double>(k)));
        for (std::int64_t k = 0; k < images; ++k)
            chunk_.target.as<std::int64_t>()[static_cast<std::size_t>(k)] = 3 * k % 10;
        for (std::size_t axis = 0; axis < directions_.size(); ++axis) {
            for (std::size_t k = 0; k < origin_.weights.size(); ++k) {
                const double wave = std::sin(static_cast<double>(k) * (axis == 0 ? 1.3 : 0.7));
                directions_[axis].push_back(0.5F * origin_.weights[k] * static_cast<float>(wave));
            }
        }
        request_.graph = &graph_;
        request_.space = &space_;
        request_.origin = &origin_;
        request_.axes = {{directions_[0], {}}, {directions_[1], {}}};
        request_.loss.kind = LossKind::cross_entropy;
        request_.inputs = {{graph_.value(graph_.inputs[0]).name, DType::f32, sample}};
        request_.target = {"target", DType::i64, {}};
    }

    /// At each point; no sample is computed again.
    [[nodiscard]] std::vector<double> losses(Backend& backend, Precision precision = Precision::fp32) const {
        const std::vector<Point> points{{{0.0, 0.0}}, {{0.5, -0.25}}, {{-1.0, 1.0}}};
        std::vector<LossSums> sums(points.size());
        ExecutableRequest request = request_;
        request.precision = precision;
        backend.compile(request)->evaluate(points, chunk_, sums);
        std::vector<double> result;
        for (const LossSums& sum : sums) {
            EXPECT_EQ(sum.overflowed, 0);
            result.push_back(sum.loss_sum / sum.weight_sum);
        }
        return result;
    }

private:
    Graph graph_;
    ParameterSpace space_;
    StateVector origin_;
    std::array<std::vector<float>, 2> directions_;
    SampleChunk chunk_;
    ExecutableRequest request_;
};

void expect_agreement(const std::filesystem::path& file, Arithmetic arithmetic = Arithmetic::layers) {
    SCOPED_TRACE(file.string());
    const Network network(file, arithmetic);
    const auto cpu = make_cpu_backend();
    HostDeviceOptions options;
    // A whole block of points, and one that is filled up.
    options.most_points = arithmetic == Arithmetic::layers ? 2 : 1;
    const auto cuda = cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
    const std::vector<double> expected = network.losses(*cpu);
    const bool rounded = arithmetic == Arithmetic::tf32;
    const std::vector<double> found = network.losses(*cuda, rounded ? Precision::tf32 : Precision::fp32);
    for (std::size_t k = 0; k < expected.size(); ++k) {
        ASSERT_TRUE(std::isfinite(expected[k])) << "point " << k;
        EXPECT_LE(std::abs(found[k] - expected[k]), tolerance(arithmetic) * std::abs(expected[k])) << "point " << k;
    }
}

/// In bf16 on the CPU, against fp32 there. Few images, far points: more than what a whole test set shows (0.1 % in the
/// middle, 0.7 % at most, docs/performance.md).
void expect_little_loss_in_bf16(const std::filesystem::path& file) {
    SCOPED_TRACE(file.string());
    const Network network(file, Arithmetic::layers);
    const auto cpu = make_cpu_backend();
    const std::vector<double> expected = network.losses(*cpu);
    const std::vector<double> found = network.losses(*cpu, Precision::bf16);
    for (std::size_t k = 0; k < expected.size(); ++k) {
        const double difference = std::abs(found[k] - expected[k]) / std::abs(expected[k]);
        EXPECT_LT(difference, 0.05) << "point " << k;
        EXPECT_GT(difference, 0.0) << "point " << k;
        std::cout << fmt::format("{:20} point {}: loss {:.6g}, bf16 off by {:.1e}\n", file.filename().string(), k,
                                 expected[k], difference);
    }
}

TEST(WholeNetworks, DemoNetworksInBf16) {
    if (!cpu::bf16_available()) GTEST_SKIP() << "no bf16 here: oneDNN has " << cpu::instruction_set();
    for (const char* name : {"resnet20/model.onnx", "vgg9_sgd_wd5e-4_bs128/epoch_12.onnx"})
        expect_little_loss_in_bf16(source_dir() / "configs/demo" / name);
}

TEST(WholeNetworks, ReferenceNetworksInBf16) {
    LOSSMAP_REQUIRE_REFERENCE("models/gold_resnet56.onnx");
    if (!cpu::bf16_available()) GTEST_SKIP() << "no bf16 here: oneDNN has " << cpu::instruction_set();
    for (const char* name : {"gold_resnet56.onnx", "resnet20.onnx", "small/sgd_bs128/epoch_14.onnx"})
        expect_little_loss_in_bf16(reference_dir() / "models" / name);
}

TEST(WholeNetworks, DemoNetworksOnAnEmulatedDevice) {
    for (const char* name :
         {"resnet20/model.onnx", "resnet20_noshort/model.onnx", "vgg9_sgd_wd5e-4_bs128/epoch_12.onnx"})
        expect_agreement(source_dir() / "configs/demo" / name);
}

TEST(WholeNetworks, ReferenceNetworksOnAnEmulatedDevice) {
    LOSSMAP_REQUIRE_REFERENCE("models/gold_resnet56.onnx");
    for (const char* name : {"resnet20.onnx", "resnet20_folded.onnx", "small/sgd_bs128/epoch_14.onnx"})
        expect_agreement(reference_dir() / "models" / name);
}

// Of its residual branches three have weights of 1e-10 to 1e-4: training left them over.
TEST(WholeNetworks, TheGoldNetworkByProductsOfHalves) {
    LOSSMAP_REQUIRE_REFERENCE("models/gold_resnet56.onnx");
    expect_agreement(reference_dir() / "models/gold_resnet56.onnx", Arithmetic::split);
}

TEST(WholeNetworks, TheGoldNetworkInTf32) {
    LOSSMAP_REQUIRE_REFERENCE("models/gold_resnet56.onnx");
    expect_agreement(reference_dir() / "models/gold_resnet56.onnx", Arithmetic::tf32);
}

}  // namespace
}  // namespace lossmap::test
