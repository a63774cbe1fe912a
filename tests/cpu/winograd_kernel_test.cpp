#include "cpu/winograd_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/dtype.hpp"

namespace lossmap::cpu {
namespace {

struct Problem {
    WinogradShape shape;
    std::vector<float> source, weights, bias, residual, factors;

    explicit Problem(const WinogradShape& sizes) : shape(sizes) {
        std::mt19937 random(3);
        std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
        const auto fill = [&](std::vector<float>& values, std::int64_t count) {
            values.resize(static_cast<std::size_t>(count));
            for (float& value : values)
                value = uniform(random);
        };
        fill(source, shape.batch * shape.height * shape.width * shape.channels);
        fill(weights, shape.out_channels * shape.channels * 9);
        fill(bias, shape.out_channels);
        fill(residual, shape.batch * shape.out_height * shape.out_width * shape.out_channels);
        fill(factors, shape.out_channels);
    }

    /// In fp64, one output after the other.
    [[nodiscard]] double reference(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t o) const {
        double sum = 0.0;
        for (std::int64_t k = 0; k < 9; ++k) {
            const std::int64_t row = y - shape.pad_top + k / 3;
            const std::int64_t column = x - shape.pad_left + k % 3;
            if (row < 0 || column < 0 || row >= shape.height || column >= shape.width) continue;
            for (std::int64_t c = 0; c < shape.channels; ++c) {
                const auto pixel = ((n * shape.height + row) * shape.width + column) * shape.channels + c;
                sum += static_cast<double>(source[static_cast<std::size_t>(pixel)]) *
                       static_cast<double>(weights[static_cast<std::size_t>((o * shape.channels + c) * 9 + k)]);
            }
        }
        return sum * static_cast<double>(factors[static_cast<std::size_t>(o)]);
    }

    [[nodiscard]] std::vector<float> run(bool with_bias, bool with_residual, bool relu) const {
        const float nan = std::numeric_limits<float>::quiet_NaN();
        std::vector<float> transformed(shape.weights_floats(), nan);
        std::vector<float> scratch(shape.scratch_floats(), nan);
        std::vector<float> target(residual.size(), nan);
        winograd_weights(weights.data(), factors.data(), shape.out_channels, shape.channels, transformed.data());
        winograd_convolution(shape, source.data(), transformed.data(), with_bias ? bias.data() : nullptr,
                             with_residual ? residual.data() : nullptr, relu, target.data(), scratch.data());
        return target;
    }
};

/// The same in bf16: what it starts from is rounded in `problem` itself.
std::vector<float> run_in_bf16(Problem& problem) {
    const WinogradShape& shape = problem.shape;
    std::vector<std::uint16_t> source(problem.source.size());
    std::vector<std::uint16_t> residual(problem.residual.size());
    const auto round = [](std::vector<float>& values, std::vector<std::uint16_t>& bits) {
        for (std::size_t k = 0; k < values.size(); ++k) {
            bits[k] = float_to_bfloat16(values[k]);
            values[k] = bfloat16_to_float(bits[k]);
        }
    };
    round(problem.source, source);
    round(problem.residual, residual);
    constexpr std::uint16_t kNaN = 0x7fff;
    std::vector<std::uint16_t> transformed(shape.weights_floats(), kNaN);
    std::vector<std::uint16_t> target(residual.size(), kNaN);
    std::vector<float> scratch(shape.scratch_floats(), std::numeric_limits<float>::quiet_NaN());
    winograd_weights_bf16(problem.weights.data(), problem.factors.data(), shape.out_channels, shape.channels,
                          transformed.data());
    winograd_convolution_bf16(shape, source.data(), transformed.data(), problem.bias.data(), residual.data(), true,
                              target.data(), scratch.data());
    std::vector<float> result(target.size());
    std::transform(target.begin(), target.end(), result.begin(), bfloat16_to_float);
    return result;
}

const std::vector<WinogradShape> kShapes{
    {1, 4, 4, 16, 1, 1, 4, 4, 16},  // even, one vector
    {3, 7, 5, 16, 1, 1, 7, 5, 48},  // odd extents, an odd number of vectors
    {2, 6, 9, 32, 0, 0, 4, 7, 32},  // no padding
    {1, 5, 5, 48, 2, 2, 7, 7, 16},  // more padding than usual
    {1, 6, 6, 16, 0, 1, 4, 5, 32},  // padding on two sides only
    {2, 8, 8, 96, 1, 1, 8, 8, 64},  // wide: fewer patches together
    {1, 1, 1, 16, 1, 1, 1, 1, 16},  // a single pixel
};

/// Every output, with bias, residual and ReLU, in the order of the target's elements. `tolerance` is of the expected
/// value.
template <typename Tolerance>
void expect_outputs(const Problem& problem, const std::vector<float>& actual, const Tolerance& tolerance) {
    const WinogradShape& shape = problem.shape;
    std::size_t index = 0;
    for (std::int64_t n = 0; n < shape.batch; ++n) {
        for (std::int64_t y = 0; y < shape.out_height; ++y) {
            for (std::int64_t x = 0; x < shape.out_width; ++x) {
                for (std::int64_t o = 0; o < shape.out_channels; ++o, ++index) {
                    const double sum = problem.reference(n, y, x, o) +
                                       static_cast<double>(problem.bias[static_cast<std::size_t>(o)]) +
                                       static_cast<double>(problem.residual[index]);
                    const double expected = sum < 0.0 ? 0.0 : sum;
                    ASSERT_NEAR(static_cast<double>(actual[index]), expected, tolerance(expected))
                        << shape.channels << " channels, image " << n << ", row " << y << ", column " << x;
                }
            }
        }
    }
}

TEST(WinogradKernel, AgreesWithTheDefinition) {
    if (!winograd_available()) GTEST_SKIP() << "this machine has no AVX-512";
    for (const WinogradShape& shape : kShapes) {
        const Problem problem(shape);
        // Transforms double the rounding of a sum of 9 * channels products of numbers below 1.
        const double tolerance = 1e-6 * std::sqrt(9.0 * static_cast<double>(shape.channels));
        expect_outputs(problem, problem.run(true, true, true), [&](double) { return tolerance; });
        if (HasFatalFailure()) return;
    }
}

TEST(WinogradKernel, Bf16IsOffByItsRoundings) {
    if (!winograd_bf16_available()) GTEST_SKIP() << "this machine has no AVX-512 with bf16";
    for (const WinogradShape& shape : kShapes) {
        Problem problem(shape);
        const std::vector<float> actual = run_in_bf16(problem);
        // An output adds 9 * channels products of a transformed input (1.2 in the root mean square) and a transformed
        // filter (0.4), each off by 2^-9 / sqrt(3) of itself: six times the standard deviation.
        const double tolerance =
            6.0 * 0.5 * std::sqrt(2.0 / 3.0) / 512 * std::sqrt(9.0 * static_cast<double>(shape.channels));
        expect_outputs(problem, actual, [&](double expected) { return tolerance + expected / 256; });
        if (HasFatalFailure()) return;
    }
}

TEST(WinogradKernel, Bf16KeepsNaN) {
    if (!winograd_bf16_available()) GTEST_SKIP() << "this machine has no AVX-512 with bf16";
    Problem problem(kShapes[0]);
    problem.source[0] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> actual = run_in_bf16(problem);
    EXPECT_TRUE(std::isnan(actual[0]));
    EXPECT_FALSE(std::isnan(actual.back()));
}

TEST(WinogradKernel, BiasResidualAndReluCanBeLeftOut) {
    if (!winograd_available()) GTEST_SKIP() << "this machine has no AVX-512";
    const Problem problem(kShapes[1]);
    const std::vector<float> bare = problem.run(false, false, false);
    const std::vector<float> full = problem.run(true, true, true);
    for (std::size_t k = 0; k < bare.size(); ++k) {
        const float sum = bare[k] + problem.bias[k % 48] + problem.residual[k];
        EXPECT_FLOAT_EQ(full[k], sum < 0.0F ? 0.0F : sum);
    }
}

TEST(WinogradKernel, ReluKeepsNaN) {
    if (!winograd_available()) GTEST_SKIP() << "this machine has no AVX-512";
    Problem problem(kShapes[0]);
    problem.source[0] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> actual = problem.run(true, true, true);
    EXPECT_TRUE(std::isnan(actual[0]));
    EXPECT_FALSE(std::isnan(actual.back()));
}

}  // namespace
}  // namespace lossmap::cpu
