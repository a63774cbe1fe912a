#include "cpu/gram_matrix.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lossmap::cpu {
namespace {

/// `count` rows of `length` numbers one behind the other.
std::vector<float> random_rows(std::size_t count, std::size_t length) {
    std::vector<float> rows(count * length);
    std::uint32_t state = 12345;
    for (float& value : rows) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
    }
    return rows;
}

TEST(GramMatrix, AgreesWithPlainSumsForEverySize) {
    // Numbers of rows that fill blocks and that do not; lengths that fill lanes and chunks and that do not.
    for (const std::size_t count : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 11u}) {
        for (const std::size_t length : {1u, 7u, 8u, 512u, 515u, 1500u}) {
            const std::vector<float> rows = random_rows(count, length);
            SquareMatrix gram(count);
            add_inner_products(rows, 2, gram);
            for (std::size_t i = 0; i < count; ++i) {
                for (std::size_t j = 0; j < count; ++j) {
                    long double sum = 0.0L;
                    for (std::size_t p = 0; p < length; ++p)
                        sum += static_cast<long double>(rows[i * length + p]) * rows[j * length + p];
                    const double expected = j <= i ? static_cast<double>(sum) : 0.0;
                    EXPECT_NEAR(gram.at(i, j), expected, 1e-15 * static_cast<double>(length)) << i << " " << j;
                }
            }
        }
    }
}

TEST(GramMatrix, PartsAndThreadsGiveTheSameBits) {
    constexpr std::size_t kCount = 10;
    constexpr std::size_t kLength = 3 * LinearAlgebra::kChunk + 77;
    const std::vector<float> rows = random_rows(kCount, kLength);
    SquareMatrix whole(kCount);
    add_inner_products(rows, 1, whole);
    for (const int threads : {1, 2, 5}) {
        SquareMatrix parts(kCount);
        for (const auto& [first, length] :
             {std::pair{std::size_t{0}, 2 * LinearAlgebra::kChunk},
              std::pair{2 * LinearAlgebra::kChunk, kLength - 2 * LinearAlgebra::kChunk}}) {
            std::vector<float> part;
            for (std::size_t row = 0; row < kCount; ++row) {
                const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(row * kLength + first);
                part.insert(part.end(), begin, begin + static_cast<std::ptrdiff_t>(length));
            }
            add_inner_products(part, threads, parts);
        }
        EXPECT_EQ(parts.values, whole.values) << threads;
    }
}

TEST(GramMatrix, WhatIsNotFiniteReachesItsRowAndColumnOnly) {
    std::vector<float> rows = random_rows(6, 600);
    rows[2 * 600 + 599] = std::numeric_limits<float>::infinity();
    SquareMatrix gram(6);
    add_inner_products(rows, 1, gram);
    for (std::size_t i = 0; i < 6; ++i) {
        for (std::size_t j = 0; j <= i; ++j)
            EXPECT_EQ(std::isfinite(gram.at(i, j)), i != 2 && j != 2) << i << " " << j;
    }
}

}  // namespace
}  // namespace lossmap::cpu
