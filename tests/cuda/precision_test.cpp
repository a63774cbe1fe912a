#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/device.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::ReferenceNet;

/// Channel counts that 16-bit layers pad: 3, 5 and 12.
ReferenceNet odd_net() {
    ReferenceNet net({3, 9, 7}, 3);
    const auto stem = net.relu(net.batch_norm(net.conv(net.input(), 5, 3, 1, 1)));
    const auto block = net.relu(net.add(net.batch_norm(net.conv(stem, 5, 3, 1, 1)), stem));
    const auto wide = net.relu(net.conv(block, 12, 3, 2, 1, 1, true));
    const auto gate = net.sigmoid(net.conv(net.global_average_pool(wide), 12, 1, 1, 0));
    net.output(net.gemm(net.flatten(net.scale_channels(net.max_pool(wide, 3, 2, 1), gate)), 6, true));
    return net;
}

std::shared_ptr<Backend> emulated(bool joins, bool convolutions) {
    HostDeviceOptions options;
    options.joins_work = joins;
    options.has_convolutions = convolutions;
    return cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
}

struct Bound {
    Precision precision;
    double low;
    double high;
};

TEST(CudaPrecision, ErrorsAreThoseOfTheType) {
    // Units of rounding: tf32 and fp16 2^-11, bf16 2^-8; a handful of layers. Below the lower bound the type is not
    // used.
    for (const Bound& bound : {Bound{Precision::fp32, 0.0, 2e-5}, Bound{Precision::tf32, 2e-5, 5e-3},
                               Bound{Precision::fp16, 2e-5, 5e-3}, Bound{Precision::bf16, 3e-4, 4e-2}}) {
        for (const bool joins : {true, false}) {
            for (const bool convolutions : {true, false}) {
                if (bound.precision == Precision::tf32 && !convolutions) continue;  // own kernels compute in fp32
                NetworkRunner runner(odd_net(), 7, 6, emulated(joins, convolutions));
                runner.request().precision = bound.precision;
                const double error = runner.error(*runner.compile(), {0.3, -0.2});
                EXPECT_LT(error, bound.high) << name_of(bound.precision) << joins << convolutions;
                EXPECT_GE(error, bound.low) << name_of(bound.precision) << joins << convolutions;
            }
        }
    }
}

TEST(CudaPrecision, OnePixelOfOneSampleIsComputedWhole) {
    // Its strides show neither how it lies nor what pads its channels.
    for (const Precision precision : {Precision::fp16, Precision::bf16}) {
        for (const bool joins : {true, false}) {
            ReferenceNet net({3, 6, 6}, 7);
            const auto x = net.global_average_pool(net.conv(net.input(), 5, 3, 1, 1));
            const auto y = net.relu(net.conv(x, 5, 1, 1, 0, 1, true));
            net.output(net.gemm(net.flatten(net.relu(net.conv(y, 12, 1, 1, 0, 1, true))), 6, true));
            NetworkRunner runner(std::move(net), 3, 6, emulated(joins, true));
            runner.request().precision = precision;
            runner.request().tile_samples = 1;
            EXPECT_LT(runner.error(*runner.compile(), {0.3, -0.2}), 3e-2) << name_of(precision) << joins;
        }
    }
}

/// The first layer's sums are near -1e5, beyond fp16; the ReLU behind it makes them 0.
ReferenceNet overflowing_net() {
    ReferenceNet net({3, 6, 6}, 5);
    const auto x = net.relu(net.conv(net.input(), 8, 3, 1, 1, 1, true));
    net.output(net.gemm(net.flatten(x), 5, true));
    return net;
}

void make_bias_overflow(NetworkRunner& runner) {
    auto& weights = runner.net().origin().weights;
    for (std::size_t k = 0; k < 8; ++k)
        weights[8 * 27 + k] = -1e5F;
}

TEST(CudaPrecision, WhatOverflowsInFrontOfAnActivationIsComputedAgain) {
    for (const bool joins : {true, false}) {
        NetworkRunner exact(overflowing_net(), 7, 5, emulated(joins, true));
        NetworkRunner half(overflowing_net(), 7, 5, emulated(joins, true));
        make_bias_overflow(exact);
        make_bias_overflow(half);
        half.request().precision = Precision::fp16;
        half.request().tile_samples = exact.request().tile_samples = 4;
        const std::vector<Point> points{{{0.0, 0.0}}, {{0.1, 0.2}}};
        const auto expected = exact.sums(*exact.compile(), points);
        const auto actual = half.sums(*half.compile(), points);
        for (std::size_t k = 0; k < points.size(); ++k) {
            EXPECT_EQ(actual[k].overflowed, 7);
            LossSums rest = actual[k];
            rest.overflowed = 0;
            EXPECT_EQ(rest, expected[k]) << "point " << k;
        }
    }
}

TEST(CudaPrecision, OnlyPointsThatOverflowAreComputedAgain) {
    NetworkRunner runner(overflowing_net(), 9, 5, emulated(true, true));
    runner.request().precision = Precision::fp16;
    runner.request().tile_samples = 8;  // the last tile has one sample
    auto& direction = runner.direction(0);
    std::fill(direction.begin() + 8 * 27, direction.begin() + 8 * 27 + 8, -1e5F);
    const auto executable = runner.compile();
    EXPECT_EQ(executable->points_per_pass(), 4);
    const auto sums = runner.sums(*executable, {{{0.0, 0.1}}, {{1.0, 0.1}}, {{0.0, 0.2}}, {{0.0, 0.3}}});
    for (std::size_t k = 0; k < sums.size(); ++k)
        EXPECT_EQ(sums[k].overflowed, k == 1 ? 9 : 0) << "point " << k;
}

TEST(CudaPrecision, PaddedChannelsAreOfTheirOwnSampleAndPoint) {
    // A dense result of 5 channels, which the next layer wants as 8.
    ReferenceNet net({3, 6, 6}, 5);
    const auto x = net.relu(net.conv(net.input(), 3, 3, 1, 1, 1, true));
    net.output(net.gemm(net.flatten(net.conv(net.padded_shortcut(x, 5), 8, 3, 1, 1)), 5, true));
    NetworkRunner runner(std::move(net), 9, 5, emulated(true, true));
    runner.request().precision = Precision::fp16;
    runner.request().tile_samples = 7;  // nothing else has a multiple of it: flags are a sample's
    auto& direction = runner.direction(0);
    std::fill(direction.begin() + 3 * 27, direction.begin() + 3 * 27 + 3, 1e5F);
    const auto sums = runner.sums(*runner.compile(), {{{0.0, 0.1}}, {{1.0, 0.1}}, {{0.0, 0.2}}, {{0.0, 0.3}}});
    for (std::size_t k = 0; k < sums.size(); ++k)
        EXPECT_EQ(sums[k].overflowed, k == 1 ? 9 : 0) << "point " << k;
}

TEST(CudaPrecision, OnlyTilesThatOverflowAreComputedAgain) {
    NetworkRunner runner(overflowing_net(), 8, 5, emulated(true, true));
    runner.request().precision = Precision::fp16;
    runner.request().tile_samples = 4;
    // One sample's pixels are large.
    auto inputs = const_cast<SampleChunk&>(runner.chunk()).inputs[0].as<float>();
    std::fill(inputs.begin() + 5 * 3 * 36, inputs.begin() + 6 * 3 * 36, 60000.0F);
    const auto sums = runner.sums(*runner.compile(), {{{0.0, 0.0}}});
    EXPECT_EQ(sums[0].overflowed, 4);
    EXPECT_TRUE(std::isfinite(sums[0].loss_sum));
}

/// 5 samples of tokens, in tiles of 4, whose last token alone overflows in front of a ReLU.
void expect_last_token_to_be_noticed(std::int64_t tokens, float weight, bool doubled) {
    constexpr std::int64_t kWidth = 4;
    const auto runner = [&] {
        ReferenceNet net({tokens, kWidth}, 5);
        const auto x = net.tokens_in_front(net.input(), kWidth);
        net.output(net.gemm(net.flatten(net.relu(doubled ? net.add(x, x) : x)), 5, true));
        auto& weights = net.origin().weights;
        const auto added = static_cast<std::ptrdiff_t>(tokens * kWidth);
        std::fill(weights.begin(), weights.begin() + added, 0.0F);
        std::fill(weights.begin() + added - kWidth, weights.begin() + added, 100.0F);
        std::fill(weights.begin() + added, weights.begin() + added + kWidth * kWidth, weight);
        NetworkRunner result(std::move(net), 5, 5, emulated(true, true));
        result.request().tile_samples = 4;
        return result;
    };
    NetworkRunner exact = runner();
    NetworkRunner half = runner();
    half.request().precision = Precision::fp16;
    EXPECT_LT(exact.error(*exact.compile(), {0.0, 0.0}), 1e-5);
    const LossSums expected = exact.sums(*exact.compile(), {{{0.0, 0.0}}})[0];
    LossSums actual = half.sums(*half.compile(), {{{0.0, 0.0}}})[0];
    EXPECT_EQ(actual.overflowed, 5);
    actual.overflowed = 0;
    EXPECT_EQ(actual, expected);
}

TEST(CudaPrecision, TokensInFrontAreNotTakenForSamples) { expect_last_token_to_be_noticed(4, -250.0F, false); }

TEST(CudaPrecision, TokensThatLieInFrontAreNotTakenForSamples) {
    // [samples, tokens, width] stored tokens first; what overflows is computed from it.
    expect_last_token_to_be_noticed(3, -100.0F, true);
}

TEST(CudaPrecision, WeightsBeyondTheTypeAreNoticed) {
    NetworkRunner exact(overflowing_net(), 4, 5, emulated(true, true));
    NetworkRunner half(overflowing_net(), 4, 5, emulated(true, true));
    for (NetworkRunner* runner : {&exact, &half})
        runner->net().origin().weights[10] = -2e5F;
    half.request().precision = Precision::fp16;
    const auto expected = exact.sums(*exact.compile(), {{{0.0, 0.0}}});
    const auto actual = half.sums(*half.compile(), {{{0.0, 0.0}}});
    EXPECT_EQ(actual[0].overflowed, 4);
    EXPECT_EQ(actual[0].loss_sum, expected[0].loss_sum);
}

TEST(CudaPrecision, MeasuresItsErrorAgainstFp32) {
    NetworkRunner runner(odd_net(), 7, 6, emulated(true, true));
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.3, -0.2}}};
    EXPECT_TRUE(runner.compile()->precision_error(points, runner.chunk()).empty());
    runner.request().precision = Precision::bf16;
    const auto executable = runner.compile();
    const std::vector<double> errors = executable->precision_error(points, runner.chunk());
    ASSERT_EQ(errors.size(), 2u);
    for (const double error : errors) {
        EXPECT_GT(error, 1e-6);
        EXPECT_LT(error, 0.05);
    }
}

/// What computes in fp32 takes what the other one leaves, or there is one sentence.
TEST(CudaPrecision, BothFitIntoTheMemoryOfTheDevice) {
    int fitted = 0, refused = 0;
    for (std::int64_t bytes = 400'000; bytes < 20'000'000; bytes += bytes / 5) {
        HostDeviceOptions options;
        options.memory_bytes = bytes;
        options.most_points = 64;
        ReferenceNet net({8}, 5);  // more weights than anything else
        net.output(net.gemm(net.relu(net.gemm(net.input(), 2000, true)), 6, true));
        NetworkRunner runner(std::move(net), 7, 6, cuda::make_cuda_backend({std::make_shared<HostDevice>(options)}));
        runner.request().precision = Precision::fp16;
        try {
            const auto executable = runner.compile();
            EXPECT_EQ(executable->precision_error({{{{0.0, 0.0}}, {{0.3, -0.2}}}}, runner.chunk()).size(), 2U);
            EXPECT_LE(executable->memory_bytes(), bytes);
            ++fitted;
        } catch (const cuda::OutOfDeviceMemory& error) {
            ADD_FAILURE() << bytes << " bytes: " << error.what();
        } catch (const InputError& error) {
            EXPECT_THAT(error.what(), ::testing::HasSubstr("of device memory")) << bytes;
            EXPECT_EQ(fitted, 0) << "what fits fits into more";
            ++refused;
        }
    }
    EXPECT_GT(fitted, 3);
    EXPECT_GT(refused, 1);
}

}  // namespace
}  // namespace lossmap
