// bf16 on the CPU: what is rounded, when, and how that is told. The suites of tests/backends run on it, too.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/dtype.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/dnnl_operation.hpp"
#include "cpu/elementwise.hpp"
#include "cpu/plan_record.hpp"
#include "tests/cpu/thread_bits.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::grid;
using test::NetworkRunner;
using test::ReferenceNet;
using test::small_net;
using ::testing::HasSubstr;

#define LOSSMAP_REQUIRE_BF16() \
    if (!cpu::bf16_available()) GTEST_SKIP() << "oneDNN has " << cpu::instruction_set() << " here: no bf16"

float rounded(float value) { return bfloat16_to_float(float_to_bfloat16(value)); }

TEST(CpuBf16, LoopsRoundLikeTheDefinition) {
    std::vector<float> values;
    // Every upper half with lower halves around a tie; infinities and NaN are among them.
    for (std::uint32_t upper = 0; upper <= 0xffffU; ++upper) {
        for (const std::uint32_t lower : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
            values.push_back(std::bit_cast<float>((upper << 16) | lower));
    }
    std::vector<std::uint16_t> bits(values.size());
    cpu::round_to_bf16(bits.data(), values.data(), values.size());
    std::vector<float> widened(values.size());
    cpu::widen_bf16(widened.data(), bits.data(), bits.size());
    for (std::size_t k = 0; k < values.size(); ++k) {
        const float expected = rounded(values[k]);
        ASSERT_TRUE(std::isnan(expected) ? std::isnan(widened[k]) : widened[k] == expected)
            << values[k] << " becomes " << widened[k];
    }
}

TEST(CpuBf16, ActivationsAreThoseOfFp32) {
    std::vector<std::uint16_t> all(0x10000);
    for (std::size_t k = 0; k < all.size(); ++k)
        all[k] = static_cast<std::uint16_t>(k);
    std::vector<float> values(all.size());
    cpu::widen_bf16(values.data(), all.data(), all.size());
    std::vector<float> relu = values;
    std::vector<float> clip = values;
    cpu::relu(relu.data(), relu.size());
    cpu::clip(clip.data(), clip.size(), -0.3F, 6.1F);
    std::vector<std::uint16_t> relu_bits = all;
    std::vector<std::uint16_t> clip_bits = all;
    cpu::relu_bf16(relu_bits.data(), relu_bits.size());
    cpu::clip_bf16(clip_bits.data(), clip_bits.size(), -0.3F, 6.1F);
    for (std::size_t k = 0; k < all.size(); ++k) {
        for (const auto& [expected, bits] : {std::pair{relu[k], relu_bits[k]}, std::pair{clip[k], clip_bits[k]}}) {
            const float actual = bfloat16_to_float(bits);
            if (std::isnan(values[k])) {
                ASSERT_TRUE(std::isnan(actual)) << k;
            } else {
                ASSERT_EQ(actual, rounded(expected)) << k;
            }
        }
    }
}

TEST(CpuBf16, MaximaAreThoseOfFp32) {
    constexpr std::size_t kAll = 0x10000;
    // Every pattern against others of all kinds; a few elements more than whole vectors.
    constexpr std::size_t kCount = kAll + 5;
    std::vector<std::vector<std::uint16_t>> bits(4, std::vector<std::uint16_t>(kCount));
    std::vector<std::vector<float>> values(4, std::vector<float>(kCount));
    constexpr std::uint32_t kSteps[] = {1, 40503, 30011, 7919};
    for (std::size_t which = 0; which < 4; ++which) {
        for (std::size_t k = 0; k < kCount; ++k)
            bits[which][k] = static_cast<std::uint16_t>(k * kSteps[which] + 77 * which);
        cpu::widen_bf16(values[which].data(), bits[which].data(), kCount);
    }
    const auto expect_same = [&](const std::vector<float>& expected, const std::vector<std::uint16_t>& actual) {
        for (std::size_t k = 0; k < kCount; ++k) {
            const float found = bfloat16_to_float(actual[k]);
            ASSERT_TRUE(std::isnan(expected[k]) ? std::isnan(found) : found == expected[k]) << k;
        }
    };
    std::vector<float> four(kCount);
    std::vector<std::uint16_t> four_bits(kCount);
    cpu::maximum_of_four(four.data(), values[0].data(), values[1].data(), values[2].data(), values[3].data(), kCount);
    cpu::maximum_of_four_bf16(four_bits.data(), bits[0].data(), bits[1].data(), bits[2].data(), bits[3].data(), kCount);
    expect_same(four, four_bits);
    for (std::size_t which = 1; which < 4; ++which) {
        cpu::maximum(values[0].data(), values[which].data(), kCount);
        cpu::maximum_bf16(bits[0].data(), bits[which].data(), kCount);
        expect_same(values[0], bits[0]);
    }
    EXPECT_EQ(std::memcmp(four.data(), values[0].data(), kCount * sizeof(float)), 0) << "four at once, and in turn";
}

/// Largest difference of the output from `expected`, over its largest element.
double difference(const Tensor& output, const std::vector<double>& expected) {
    const auto actual = output.as<float>();
    if (actual.size() != expected.size()) return std::numeric_limits<double>::infinity();
    double largest = 0.0;
    double found = 0.0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
        largest = std::max(largest, std::abs(expected[k]));
        found = std::max(found, std::abs(static_cast<double>(actual[k]) - expected[k]));
    }
    return found / largest;
}

/// Samples as a layer in bf16 reads them.
std::vector<std::vector<double>> rounded_samples(const NetworkRunner& runner) {
    const auto values = runner.chunk().inputs[0].as<float>();
    const std::size_t width = values.size() / static_cast<std::size_t>(runner.chunk().count);
    std::vector<std::vector<double>> samples;
    for (std::size_t first = 0; first < values.size(); first += width) {
        samples.emplace_back();
        for (const float value : values.subspan(first, width))
            samples.back().push_back(static_cast<double>(rounded(value)));
    }
    return samples;
}

std::vector<double> outputs(const ReferenceNet& net, const StateVector& state,
                            const std::vector<std::vector<double>>& samples) {
    std::vector<double> result;
    for (const auto& sample : samples) {
        const auto output = net.forward(state, sample);
        result.insert(result.end(), output.begin(), output.end());
    }
    return result;
}

/// A network of one layer whose first `weights` parameters are its matrix: its operands, rounded, give its output; its
/// bias and sums are not rounded.
void expect_rounded_operands(ReferenceNet net, std::size_t weights) {
    NetworkRunner runner(std::move(net), 5, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    const Point point{{0.7, -0.4}};
    StateVector state = runner.state_at(point.coordinates);
    std::transform(state.weights.begin(), state.weights.begin() + static_cast<std::ptrdiff_t>(weights),
                   state.weights.begin(), rounded);
    const auto executable = runner.compile();
    EXPECT_LT(
        difference(executable->forward(point, runner.chunk()), outputs(runner.net(), state, rounded_samples(runner))),
        2e-6);
    EXPECT_GT(runner.error(*executable, point.coordinates), 2e-4) << "nothing is rounded";
}

TEST(CpuBf16, OperandsOfALayerAreRounded) {
    LOSSMAP_REQUIRE_BF16();
    ReferenceNet convolution({16, 6, 5}, 41);
    convolution.output(convolution.flatten(convolution.conv(convolution.input(), 32, 3, 1, 1, 1, true)));
    expect_rounded_operands(std::move(convolution), 32 * 16 * 9);
    ReferenceNet odd({3, 7, 6}, 42);
    odd.output(odd.flatten(odd.conv(odd.input(), 5, 3, 2, 1, 1, true)));
    expect_rounded_operands(std::move(odd), 5 * 3 * 9);
    ReferenceNet gemm({20}, 43);
    gemm.output(gemm.gemm(gemm.input(), 33, true));
    expect_rounded_operands(std::move(gemm), 20 * 33);
    ReferenceNet linear({20}, 44);
    linear.output(linear.linear(linear.input(), 33));
    expect_rounded_operands(std::move(linear), 20 * 33);
}

TEST(CpuBf16, WeightsAreRoundedWhenTheNormHasBeenFolded) {
    LOSSMAP_REQUIRE_BF16();
    constexpr std::size_t kOut = 8;
    constexpr std::size_t kTaps = 27;
    ReferenceNet normed({3, 6, 6}, 45);
    normed.output(normed.flatten(normed.batch_norm(normed.conv(normed.input(), kOut, 3, 1, 1))));
    NetworkRunner runner(std::move(normed), 4, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    const Point point{{0.5, -0.25}};
    const StateVector at = runner.state_at(point.coordinates);
    ReferenceNet plain({3, 6, 6}, 45);
    plain.output(plain.flatten(plain.conv(plain.input(), kOut, 3, 1, 1, 1, true)));
    StateVector folded = plain.origin();
    for (std::size_t o = 0; o < kOut; ++o) {
        const auto number = [](float value) { return static_cast<double>(value); };
        const double scale = number(at.weights[kOut * kTaps + o]) / std::sqrt(number(at.states[kOut + o]) + 1e-3);
        for (std::size_t k = o * kTaps; k < (o + 1) * kTaps; ++k)
            folded.weights[k] = rounded(at.weights[k] * static_cast<float>(scale));
        folded.weights[kOut * kTaps + o] =
            static_cast<float>(number(at.weights[kOut * kTaps + kOut + o]) - number(at.states[o]) * scale);
    }
    EXPECT_LT(
        difference(runner.compile()->forward(point, runner.chunk()), outputs(plain, folded, rounded_samples(runner))),
        2e-6);
}

TEST(CpuBf16, WhatOneLayerHandsToTheNextIsRounded) {
    LOSSMAP_REQUIRE_BF16();
    constexpr std::size_t kFirst = 8 * 27 + 8;
    ReferenceNet both({3, 6, 6}, 46);
    both.output(both.flatten(both.conv(both.relu(both.conv(both.input(), 8, 3, 1, 1, 1, true)), 4, 3, 1, 1, 1, true)));
    NetworkRunner runner(std::move(both), 4, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    ReferenceNet first({3, 6, 6}, 1);
    first.output(first.relu(first.conv(first.input(), 8, 3, 1, 1, 1, true)));
    ReferenceNet second({8, 6, 6}, 1);
    second.output(second.flatten(second.conv(second.input(), 4, 3, 1, 1, 1, true)));
    const std::vector<float>& weights = runner.net().origin().weights;
    StateVector before = first.origin();
    StateVector behind = second.origin();
    for (std::size_t k = 0; k < kFirst; ++k)
        before.weights[k] = k < 8 * 27 ? rounded(weights[k]) : weights[k];
    for (std::size_t k = 0; k < behind.weights.size(); ++k)
        behind.weights[k] = k < 4 * 8 * 9 ? rounded(weights[kFirst + k]) : weights[kFirst + k];
    std::vector<std::vector<double>> between;
    for (const auto& sample : rounded_samples(runner)) {
        between.push_back(first.forward(before, sample));
        for (double& value : between.back())
            value = static_cast<double>(rounded(static_cast<float>(value)));
    }
    // Sums in fp32 may round to the other neighbour where they lie next to a tie.
    EXPECT_LT(difference(runner.compile()->forward({{0.0, 0.0}}, runner.chunk()), outputs(second, behind, between)),
              2e-4);
}

ReferenceNet wide_net() {
    ReferenceNet net({32, 7, 6}, 47);
    const auto x = net.relu(net.batch_norm(net.conv(net.input(), 32, 3, 1, 1)));
    const auto y = net.clip(net.add(net.batch_norm(net.conv(x, 32, 3, 1, 1)), x), 0.0F, 6.0F);
    net.output(net.gemm(net.flatten(net.global_average_pool(net.conv(y, 48, 3, 1, 1))), 5, true));
    return net;
}

TEST(CpuBf16, TransformsAddLittleToWhatRoundingDoes) {
    LOSSMAP_REQUIRE_BF16();
    NetworkRunner runner(wide_net(), 6, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    const auto with = runner.compile();
    runner.request().passes.transforms = false;
    const auto without = runner.compile();
    EXPECT_EQ(with->plan_json().find("winograd 2x2 avx512_bf16") != std::string::npos, !cpu::amx_available());
    EXPECT_THAT(without->plan_json(), ::testing::Not(HasSubstr("winograd")));
    for (const auto& executable : {with.get(), without.get()})
        EXPECT_LT(runner.error(*executable, {0.3, -0.2}), 4.0 / 256);
}

TEST(CpuBf16, ThePlanSaysWhatComputes) {
    LOSSMAP_REQUIRE_BF16();
    NetworkRunner runner(small_net(), 4, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    const auto executable = runner.compile();
    EXPECT_FALSE(executable->is_exact());
    const auto plan = nlohmann::json::parse(executable->plan_json());
    EXPECT_EQ(plan.at("precision"), "bf16");
    EXPECT_THAT(executable->plan_json(), HasSubstr("bf16"));
    EXPECT_THAT(executable->plan_json(), ::testing::Not(HasSubstr("fp32: oneDNN")));
    runner.request().precision = Precision::fp32;
    EXPECT_EQ(nlohmann::json::parse(runner.compile()->plan_json()).at("precision"), "fp32");
}

TEST(CpuBf16, SlowLayersAreNamed) {
    EXPECT_EQ(cpu::why_not_bf16("brgconv:avx512_core_bf16"), "");
    EXPECT_EQ(cpu::why_not_bf16("ref:any"), "fp32: oneDNN has only ref:any for bf16");
    EXPECT_EQ(cpu::why_not_bf16(""), "fp32: oneDNN has nothing for bf16");
}

TEST(CpuBf16, TheNumberOfThreadsDoesNotChangeBits) {
    LOSSMAP_REQUIRE_BF16();
    NetworkRunner runner(wide_net(), 29, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    test::expect_same_bits_by_threads(runner);
}

/// Beyond the largest bf16, not beyond the largest float.
constexpr float kBetween = 3.4e38F;

TEST(CpuBf16, WhatOverflowsIsEvaluatedAgainAndCounted) {
    LOSSMAP_REQUIRE_BF16();
    const auto runner = [] {
        ReferenceNet net({3, 4, 4}, 48);
        const auto x = net.conv(net.input(), 8, 3, 1, 1, 1, true);
        net.output(net.gemm(net.flatten(net.conv(x, 4, 1, 1, 0)), 5, true));
        auto& weights = net.origin().weights;
        // The first layer is its bias, the second one brings it back.
        std::fill_n(weights.begin(), 8 * 27, 0.0F);
        std::fill_n(weights.begin() + 8 * 27, 8, kBetween);
        std::fill_n(weights.begin() + 8 * 27 + 8, 4 * 8, 2e-38F);
        return NetworkRunner(std::move(net), 7, 5, make_cpu_backend());
    };
    NetworkRunner exact = runner();
    NetworkRunner half = runner();
    half.request().precision = Precision::bf16;
    half.request().tile_samples = exact.request().tile_samples = 4;
    half.request().threads = 2;
    const std::vector<Point> points{{{0.0, 0.0}}, {{0.0, 0.0}}};
    const auto expected = exact.sums(*exact.compile(), points);
    const auto executable = half.compile();
    const auto actual = half.sums(*executable, points);
    ASSERT_TRUE(std::isfinite(expected[0].loss_sum));
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_EQ(actual[k].overflowed, 7);
        LossSums rest = actual[k];
        rest.overflowed = 0;
        EXPECT_EQ(rest, expected[k]) << "point " << k;
    }
    EXPECT_EQ(executable->precision_error(points, half.chunk()), std::vector<double>(2, 0.0));
}

TEST(CpuBf16, OnlyTilesThatOverflowAreEvaluatedAgain) {
    LOSSMAP_REQUIRE_BF16();
    ReferenceNet net({3, 4, 4}, 49);
    const auto x = net.conv(net.input(), 8, 1, 1, 0);
    net.output(net.gemm(net.flatten(x), 5, true));
    for (float& weight : net.origin().weights)
        weight *= 1e-3F;
    NetworkRunner runner(std::move(net), 12, 5, make_cpu_backend());
    runner.request().precision = Precision::bf16;
    runner.request().tile_samples = 4;
    const_cast<SampleChunk&>(runner.chunk()).inputs[0].as<float>()[5 * 48 + 7] = kBetween;
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}})
        std::fill(runner.direction(axis).begin(), runner.direction(axis).end(), 0.0F);
    const auto sums = runner.sums(*runner.compile(), {{{0.0, 0.0}}, {{1.0, 0.0}}});
    for (const LossSums& sum : sums) {
        EXPECT_EQ(sum.overflowed, 4);
        EXPECT_EQ(sum.counted, 12);
        EXPECT_TRUE(std::isfinite(sum.loss_sum));
    }
}

TEST(CpuBf16, MeasuresItsErrorAgainstFp32) {
    LOSSMAP_REQUIRE_BF16();
    NetworkRunner runner(wide_net(), 37, 5, make_cpu_backend());
    const std::vector<Point> points = grid();
    EXPECT_TRUE(runner.compile()->precision_error(points, runner.chunk()).empty());
    const auto exact = runner.sums(*runner.compile(), points);
    runner.request().precision = Precision::bf16;
    runner.request().threads = 2;
    const auto executable = runner.compile();
    const std::int64_t bytes = executable->memory_bytes();
    const std::vector<double> errors = executable->precision_error(points, runner.chunk());
    ASSERT_EQ(errors.size(), points.size());
    EXPECT_GT(executable->memory_bytes(), bytes) << "the program in fp32 is counted";
    const auto own = runner.sums(*executable, points);
    for (std::size_t k = 0; k < errors.size(); ++k) {
        EXPECT_GT(errors[k], 1e-6);
        EXPECT_LT(errors[k], 0.05);
        EXPECT_NEAR(errors[k], std::abs(own[k].loss_sum - exact[k].loss_sum) / exact[k].loss_sum, 1e-5);
    }
}

TEST(CpuBf16, TheCeilingIsThatOfItsOwnProducts) {
    const auto backend = make_cpu_backend();
    const auto ceiling = backend->measure_ceiling(Precision::bf16, 2, 0.02);
    ASSERT_EQ(ceiling.has_value(), cpu::bf16_available());
    if (!ceiling) GTEST_SKIP() << "oneDNN has " << cpu::instruction_set() << " here: no bf16";
    EXPECT_GT(ceiling->flops_per_second, 1e9);
    EXPECT_GT(ceiling->at_hand, 0.0);
    EXPECT_LE(ceiling->at_hand, 1.0001 * ceiling->flops_per_second);
    EXPECT_THAT(ceiling->what, HasSubstr("in bf16, 2 threads"));
}

TEST(LossDifference, IsRelativeAndTakesNumbersOnly) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(loss_difference(1.5, 2.0), 0.25);
    EXPECT_EQ(loss_difference(0.0, 0.0), 0.0);
    EXPECT_EQ(loss_difference(nan, infinity), 0.0);
    EXPECT_TRUE(std::isnan(loss_difference(nan, 1.0)));
}

}  // namespace
}  // namespace lossmap
