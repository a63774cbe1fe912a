#include "backend/linear_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "tests/backends/backend_case.hpp"

namespace lossmap {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

std::vector<float> random_rows(std::size_t count, std::size_t length) {
    std::vector<float> rows(count * length);
    for (std::size_t k = 0; k < rows.size(); ++k)
        rows[k] = gaussian(5, 0, name_hash("rows"), k);
    return rows;
}

/// Zero above the diagonal.
SquareMatrix lower(SquareMatrix matrix) {
    for (std::size_t r = 0; r < matrix.size; ++r) {
        for (std::size_t c = r + 1; c < matrix.size; ++c)
            matrix.at(r, c) = 0.0;
    }
    return matrix;
}

/// Sums in the promised order, as plain loops.
SquareMatrix expected_gram(const std::vector<float>& rows, SquareMatrix gram) {
    const std::size_t length = rows.size() / gram.size;
    for (std::size_t first = 0; first < length; first += 512) {
        for (std::size_t r = 0; r < gram.size; ++r) {
            for (std::size_t c = 0; c <= r; ++c) {
                double lanes[8] = {};
                for (std::size_t i = first; i < std::min(first + 512, length); ++i)
                    lanes[i % 8] +=
                        static_cast<double>(rows[r * length + i]) * static_cast<double>(rows[c * length + i]);
                double sum = 0.0;
                for (const double lane : lanes)
                    sum += lane;
                gram.at(r, c) += sum;
            }
        }
    }
    return gram;
}

SquareMatrix symmetric(std::size_t order, const std::function<double(std::size_t, std::size_t)>& entry) {
    SquareMatrix matrix(order);
    for (std::size_t r = 0; r < order; ++r) {
        for (std::size_t c = 0; c <= r; ++c)
            matrix.at(r, c) = matrix.at(c, r) = entry(r, c);
    }
    return matrix;
}

/// H diag(values) H with H = I - 2 v v', orthogonal and symmetric.
SquareMatrix with_spectrum(const std::vector<double>& values) {
    const std::size_t n = values.size();
    std::vector<double> v(n);
    double square = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
        v[k] = std::cos(1.7 * static_cast<double>(k) + 0.3);
        square += v[k] * v[k];
    }
    const auto h = [&](std::size_t r, std::size_t c) { return (r == c ? 1.0 : 0.0) - 2.0 * v[r] * v[c] / square; };
    return symmetric(n, [&](std::size_t r, std::size_t c) {
        double sum = 0.0;
        for (std::size_t k = 0; k < n; ++k)
            sum += h(r, k) * values[k] * h(k, c);
        return sum;
    });
}

/// Second differences: eigenvalues 2 - 2 cos(k pi / (n + 1)), eigenvectors of sines.
SquareMatrix second_differences(std::size_t order) {
    return symmetric(order, [](std::size_t r, std::size_t c) { return r == c ? 2.0 : r == c + 1 ? -1.0 : 0.0; });
}

double norm_of(const SquareMatrix& matrix) {
    double square = 0.0;
    for (const double value : matrix.values)
        square += value * value;
    return std::sqrt(square);
}

class BackendLinearAlgebra : public ::testing::TestWithParam<test::BackendCase> {
protected:
    [[nodiscard]] std::unique_ptr<LinearAlgebra> algebra(int threads = 2) const {
        return GetParam().make()->linear_algebra(threads);
    }

    /// Order, residuals, orthonormality and signs; returns the eigenvalues.
    std::vector<double> check(const SquareMatrix& matrix) const {
        const std::size_t n = matrix.size;
        const EigenDecomposition found = algebra()->decompose(matrix);
        EXPECT_EQ(found.values.size(), n);
        EXPECT_TRUE(std::is_sorted(found.values.rbegin(), found.values.rend()));
        // Backward stable: the residual is a small multiple of the order, the rounding unit and the norm.
        const double bound = 10.0 * static_cast<double>(n) * kEpsilon;
        for (std::size_t k = 0; k < n; ++k) {
            double largest = 0.0;
            for (std::size_t r = 0; r < n; ++r) {
                double product = 0.0;
                for (std::size_t c = 0; c < n; ++c)
                    product += matrix.at(r, c) * found.vectors.at(c, k);
                EXPECT_NEAR(product, found.values[k] * found.vectors.at(r, k), bound * norm_of(matrix) + 1e-300);
                const double entry = found.vectors.at(r, k);
                if (std::abs(entry) > std::abs(largest)) largest = entry;
            }
            EXPECT_GT(largest, 0.0) << "vector " << k;
            for (std::size_t other = 0; other <= k; ++other) {
                double product = 0.0;
                for (std::size_t r = 0; r < n; ++r)
                    product += found.vectors.at(r, k) * found.vectors.at(r, other);
                EXPECT_NEAR(product, k == other ? 1.0 : 0.0, bound);
            }
        }
        return found.values;
    }

    void expect_spectrum(std::vector<double> values) const {
        const std::vector<double> found = check(with_spectrum(values));
        std::sort(values.rbegin(), values.rend());
        double largest = 0.0;
        for (const double value : values)
            largest = std::max(largest, std::abs(value));
        for (std::size_t k = 0; k < values.size(); ++k)
            EXPECT_NEAR(found[k], values[k], 10.0 * static_cast<double>(values.size()) * kEpsilon * largest);
    }
};

TEST_P(BackendLinearAlgebra, InnerProductsHaveThePromisedBits) {
    for (const auto& [count, length] : {std::pair<std::size_t, std::size_t>{1, 1}, {2, 512}, {7, 20003}, {21, 1100}}) {
        const std::vector<float> rows = random_rows(count, length);
        SquareMatrix gram(count);
        std::fill(gram.values.begin(), gram.values.end(), 0.125);
        const SquareMatrix expected = lower(expected_gram(rows, gram));
        for (const int threads : {1, 3}) {
            SquareMatrix sums = gram;
            algebra(threads)->add_inner_products(rows, sums);
            EXPECT_EQ(lower(sums).values, expected.values) << count << " rows of " << length;
        }
    }
}

TEST_P(BackendLinearAlgebra, RowsInSeveralCallsGiveTheBitsOfOne) {
    constexpr std::size_t kCount = 5;
    constexpr std::size_t kLength = 5000;
    const std::vector<float> rows = random_rows(kCount, kLength);
    const auto backend = algebra();
    SquareMatrix whole(kCount);
    backend->add_inner_products(rows, whole);
    SquareMatrix parts(kCount);
    for (std::size_t first = 0; first < kLength; first += 3 * LinearAlgebra::kChunk) {
        const std::size_t length = std::min(3 * LinearAlgebra::kChunk, kLength - first);
        std::vector<float> slice;
        for (std::size_t row = 0; row < kCount; ++row) {
            const auto from = rows.begin() + static_cast<std::ptrdiff_t>(row * kLength + first);
            slice.insert(slice.end(), from, from + static_cast<std::ptrdiff_t>(length));
        }
        backend->add_inner_products(slice, parts);
    }
    EXPECT_EQ(lower(parts).values, lower(whole).values);
    EXPECT_THROW(backend->add_inner_products(std::span(rows).first(3), parts), InternalError);
}

TEST_P(BackendLinearAlgebra, NotFiniteRowsGiveNotFiniteProducts) {
    std::vector<float> rows = random_rows(3, 700);
    rows[700 + 650] = std::numeric_limits<float>::quiet_NaN();
    SquareMatrix gram(3);
    algebra()->add_inner_products(rows, gram);
    for (std::size_t r = 0; r < 3; ++r) {
        for (std::size_t c = 0; c <= r; ++c)
            EXPECT_EQ(std::isnan(gram.at(r, c)), r == 1 || c == 1);
    }
}

TEST_P(BackendLinearAlgebra, KnownSpectraAreFound) {
    expect_spectrum({3.0});
    expect_spectrum({2.0, -1.0});
    expect_spectrum({1e-3, 5.0, -2.0, 1.0, 0.25, 7.5, -6.0});
    // Spread over ten orders of magnitude, as a trajectory's are.
    std::vector<double> steep;
    for (int k = 0; k < 33; ++k)
        steep.push_back(std::pow(10.0, 5.0 - k / 3.0));
    expect_spectrum(steep);
    for (const std::size_t order : {3, 40, 75}) {
        const std::vector<double> found = check(second_differences(order));
        for (std::size_t k = 0; k < order; ++k) {
            const double angle = static_cast<double>(order - k) * std::numbers::pi / static_cast<double>(order + 1);
            EXPECT_NEAR(found[k], 2.0 - 2.0 * std::cos(angle), 40.0 * static_cast<double>(order) * kEpsilon);
        }
    }
}

TEST_P(BackendLinearAlgebra, SimpleEigenvectorsAreThoseOfTheFormula) {
    constexpr std::size_t kOrder = 12;
    const EigenDecomposition found = algebra()->decompose(second_differences(kOrder));
    for (std::size_t k = 0; k < kOrder; ++k) {
        std::vector<double> sines(kOrder);
        double largest = 0.0;
        for (std::size_t r = 0; r < kOrder; ++r) {
            sines[r] = std::sqrt(2.0 / (kOrder + 1)) *
                       std::sin(static_cast<double>((r + 1) * (kOrder - k)) * std::numbers::pi / (kOrder + 1));
            // Of two entries of the same magnitude either may be the larger one by a rounding.
            if (std::abs(sines[r]) > std::abs(largest) + 1e-9) largest = sines[r];
        }
        double same = 0.0;
        double opposite = 0.0;
        for (std::size_t r = 0; r < kOrder; ++r) {
            same = std::max(same, std::abs(found.vectors.at(r, k) - sines[r]));
            opposite = std::max(opposite, std::abs(found.vectors.at(r, k) + sines[r]));
        }
        EXPECT_LT(std::min(same, opposite), 1e-13) << "vector " << k;
    }
}

TEST_P(BackendLinearAlgebra, DegenerateMatricesHaveAnOrthonormalBasisToo) {
    const auto identity = [](std::size_t r, std::size_t c) { return r == c ? 1.0 : 0.0; };
    EXPECT_EQ(check(symmetric(6, identity)), std::vector<double>(6, 1.0));
    EXPECT_EQ(check(SquareMatrix(4)), std::vector<double>(4, 0.0));
    expect_spectrum({2.0, 2.0, 2.0, -1.0, -1.0, 0.0, 0.0, 4.0});
}

TEST_P(BackendLinearAlgebra, RankDeficientMatricesHaveZeros) {
    const std::vector<double> ones = check(symmetric(9, [](std::size_t, std::size_t) { return 1.0; }));
    EXPECT_NEAR(ones[0], 9.0, 1e-13);
    for (std::size_t k = 1; k < 9; ++k)
        EXPECT_NEAR(ones[k], 0.0, 1e-13);
    // Ten rows in three dimensions.
    const std::vector<float> rows = random_rows(10, 3);
    SquareMatrix gram(10);
    const auto backend = algebra();
    backend->add_inner_products(rows, gram);
    const std::vector<double> values =
        check(symmetric(10, [&](std::size_t r, std::size_t c) { return gram.at(r, c); }));
    EXPECT_GT(values[2], 1e-2);
    for (std::size_t k = 3; k < 10; ++k)
        EXPECT_NEAR(values[k], 0.0, 1e-13 * values[0]);
}

TEST_P(BackendLinearAlgebra, TheSameMatrixGivesTheSameBits) {
    const SquareMatrix matrix = with_spectrum({5.0, 1.0, 1.0, -2.0, 0.5, 1e-9});
    const EigenDecomposition first = algebra(1)->decompose(matrix);
    const EigenDecomposition second = algebra(3)->decompose(matrix);
    EXPECT_EQ(first.values, second.values);
    EXPECT_EQ(first.vectors.values, second.vectors.values);
}

TEST_P(BackendLinearAlgebra, WhatIsNotFiniteIsRefused) {
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        SquareMatrix matrix = second_differences(3);
        matrix.at(0, 2) = matrix.at(2, 0) = bad;
        EXPECT_THROW(static_cast<void>(algebra()->decompose(matrix)), Error);
    }
}

// A program for GPUs has no backend where there is none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendLinearAlgebra);
INSTANTIATE_TEST_SUITE_P(Backends, BackendLinearAlgebra, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lossmap
