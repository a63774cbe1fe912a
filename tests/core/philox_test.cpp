#include "core/philox.hpp"

#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "core/gaussian_row.hpp"

namespace lossmap {
namespace {

double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

TEST(Philox, GivesTheKnownAnswersOfRandom123) {
    using Words = std::array<std::uint32_t, 4>;
    EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, QuantileInvertsTheNormalDistribution) {
    const std::uint64_t last = (std::uint64_t{1} << 53) - 1;
    for (const double p : {1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.02, 0.07, 0.075, 0.1, 0.3, 0.49}) {
        const auto bits = static_cast<std::uint64_t>(p * 9007199254740992.0);
        const double exact = (static_cast<double>(bits) + 0.5) / 9007199254740992.0;
        EXPECT_NEAR(normal_distribution(normal_quantile(bits)) / exact, 1.0, 1e-12) << p;
        EXPECT_EQ(normal_quantile(last - bits), -normal_quantile(bits)) << p;
    }
    EXPECT_NEAR(normal_quantile(0), -8.2923610758135955, 1e-14);  // quantile of 2^-54
    EXPECT_LT(std::abs(normal_quantile(std::uint64_t{1} << 52)), 1e-15);
}

TEST(Philox, RowsHaveTheBitsOfTheirElements) {
    const std::uint64_t hash = name_hash("input");
    const auto expect_row = [&](std::uint64_t first, std::size_t count, std::size_t step) {
        std::vector<float> row(count, -1.0F);
        gaussian_row(11, 0xDA, hash, first, row);
        for (std::size_t i = 0; i < count; i += step)
            ASSERT_EQ(row[i], gaussian(11, 0xDA, hash, first + i)) << first << " + " << i;
    };
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{254}, std::uint64_t{1} << 40}) {
        for (const std::size_t count : {0, 1, 2, 255, 256, 257, 5001})
            expect_row(first, count, 1);
    }
    // More than one thread's share, every thousandth element: both parts of a block, all places of a batch.
    expect_row(7, 2'500'001, 997);
}

TEST(Philox, GaussianHasTheMomentsOfANormalDistribution) {
    constexpr int kCount = 200000;
    double mean = 0.0, square = 0.0, fourth = 0.0;
    int beyond_two = 0;
    for (int i = 0; i < kCount; ++i) {
        const double value = gaussian(7, 0, name_hash("conv1.weight"), static_cast<std::uint64_t>(i));
        mean += value;
        square += value * value;
        fourth += value * value * value * value;
        beyond_two += std::abs(value) > 2.0 ? 1 : 0;
    }
    EXPECT_NEAR(mean / kCount, 0.0, 4.0 / std::sqrt(kCount));
    EXPECT_NEAR(square / kCount, 1.0, 4.0 * std::sqrt(2.0 / kCount));
    EXPECT_NEAR(fourth / kCount, 3.0, 4.0 * std::sqrt(96.0 / kCount));
    EXPECT_NEAR(static_cast<double>(beyond_two) / kCount, 0.0455, 0.002);
}

TEST(Philox, StreamsDifferBySeedAxisNameAndElement) {
    const float base = gaussian(1, 0, name_hash("a"), 0);
    EXPECT_EQ(base, gaussian(1, 0, name_hash("a"), 0));
    EXPECT_NE(base, gaussian(2, 0, name_hash("a"), 0));
    EXPECT_NE(base, gaussian(std::uint64_t{1} << 40, 0, name_hash("a"), 0));
    EXPECT_NE(base, gaussian(1, 1, name_hash("a"), 0));
    EXPECT_NE(base, gaussian(1, 0, name_hash("b"), 0));
    EXPECT_NE(base, gaussian(1, 0, name_hash("a"), 1));
    EXPECT_NE(base, gaussian(1, 0, name_hash("a"), std::uint64_t{1} << 34));
}

// Computed with 40 decimal digits outside the project: every platform has to give these bits.
TEST(Philox, GaussianBitsAreThoseOfEveryPlatform) {
    const std::uint64_t hash = name_hash("conv1.weight");
    EXPECT_EQ(hash, 0x69a29a2cee47d254u);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(gaussian(1, 0, hash, 0)), 0xbd3a748du);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(gaussian(1, 0, hash, 1)), 0xbf5bc279u);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(gaussian(1, 1, hash, 2)), 0x3f8159aau);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(gaussian((std::uint64_t{1} << 40) + 3, 1, hash, 12345678901u)), 0xbfef70e7u);
}

}  // namespace
}  // namespace lossmap
