#include "backend/layer_check.hpp"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::small_net;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::shared_ptr<Backend> emulated(const HostDeviceOptions& options = {}) {
    return cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
}

std::vector<LayerDifference> layers_of(NetworkRunner& runner) {
    runner.request().traceable = true;
    const auto executable = runner.compile();
    ExecutableRequest request = runner.request();
    request.graph = &runner.net().graph();
    request.space = &runner.net().space();
    request.origin = &runner.net().origin();
    request.axes = {{runner.direction(0), {}}, {runner.direction(1), runner.state_direction()}};
    return compare_layers(request, *executable, {{0.5, 0.25}}, runner.chunk(), 3);
}

std::vector<std::string> names_of(const std::vector<LayerDifference>& layers) {
    std::vector<std::string> result;
    for (const LayerDifference& layer : layers)
        result.push_back(layer.name);
    return result;
}

TEST(LayerCheck, TheCpuShowsWhatItComputes) {
    NetworkRunner runner(small_net(), 4, 5, make_cpu_backend());
    runner.request().traceable = true;
    const auto executable = runner.compile();
    const Point point{{0.5, 0.25}};
    const std::vector<NamedTensor> values = executable->trace(point, runner.chunk());
    ASSERT_GT(values.size(), 2U);
    const Tensor output = executable->forward(point, runner.chunk());
    const auto expected = output.as<float>();
    const auto last = values.back().value.as<float>();
    ASSERT_GE(last.size(), expected.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), last.begin()));
    NetworkRunner plain(small_net(), 4, 5, make_cpu_backend());
    EXPECT_TRUE(plain.compile()->trace(point, plain.chunk()).empty()) << "nobody asked for values";
    plain.request().traceable = true;
    plain.request().passes = PassSet::none();
    EXPECT_GT(plain.compile()->trace(point, plain.chunk()).size(), values.size());
}

TEST(LayerCheck, RoundingExplainsEveryPrecision) {
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        for (const bool joins : {true, false}) {
            HostDeviceOptions options;
            options.joins_work = joins;
            NetworkRunner runner(small_net(), 4, 5, emulated(options));
            runner.request().precision = precision;
            const auto layers = layers_of(runner);
            EXPECT_GT(layers.size(), 2U);
            for (const LayerDifference& layer : layers) {
                EXPECT_TRUE(layer.agrees()) << layer.name << " in " << name_of(precision) << ": " << layer.difference;
                EXPECT_LT(layer.bound, precision == Precision::fp32 ? 1e-4 : 0.3) << layer.name;
                EXPECT_GT(layer.largest, 0.0);
            }
        }
    }
}

TEST(LayerCheck, AFaultShowsWhereItArisesAndNowhereElse) {
    NetworkRunner sound(small_net(), 4, 5, emulated());
    const auto expected = layers_of(sound);
    for (const int wrong : {1, 2}) {
        HostDeviceOptions options;
        options.tiles_convolutions = false;
        options.spoils = [&](const cuda::ConvolutionProblem& one) { return (one.channels < 8) == (wrong == 1); };
        NetworkRunner runner(small_net(), 4, 5, emulated(options));
        const auto layers = layers_of(runner);
        ASSERT_EQ(names_of(layers), names_of(expected));
        int convolutions = 0;
        for (const LayerDifference& layer : layers) {
            if (layer.operators.starts_with("Conv")) ++convolutions;
            const bool spoiled = layer.operators.starts_with("Conv") && convolutions == wrong;
            EXPECT_EQ(layer.agrees(), !spoiled) << layer.name << " (" << layer.operators << ")";
        }
        EXPECT_EQ(convolutions, 2);
    }
}

TEST(LayerCheck, WhatIsNotFiniteMustBeTheSame) {
    const auto difference = [](std::vector<float> expected, std::vector<float> actual) {
        return relative_difference(expected, actual);
    };
    EXPECT_EQ(difference({1.0F, kNan, kInf, -kInf}, {1.0F, kNan, kInf, -kInf}), 0.0);
    EXPECT_EQ(difference({1.0F, kInf}, {1.0F, -kInf}), kInf);
    EXPECT_EQ(difference({1.0F, kNan}, {1.0F, kInf}), kInf);
    EXPECT_EQ(difference({1.0F, 2.0F}, {kNan, 2.0F}), kInf);
    EXPECT_EQ(difference({1.0F, kNan}, {1.0F, 2.0F}), kInf);
    EXPECT_EQ(difference({0.0F, 0.0F}, {0.0F, 0.0F}), 0.0);
    EXPECT_EQ(difference({0.0F, 0.0F}, {0.0F, 1e-3F}), kInf);
    double largest = 0.0;
    const std::vector<float> expected{1.0F, -4.0F, kInf};
    const std::vector<float> actual{1.5F, -4.0F, kInf};
    EXPECT_EQ(relative_difference(expected, actual, &largest), 0.125);
    EXPECT_EQ(largest, 4.0);
}

}  // namespace
}  // namespace lossmap
