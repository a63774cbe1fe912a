#include "backend/linear_algebra.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace lossmap {
namespace {

/// -1 where the entry of largest magnitude, the first one of equals, is negative.
double sign_of(const SquareMatrix& vectors, std::size_t column) {
    double largest = 0.0;
    for (std::size_t row = 0; row < vectors.size; ++row) {
        const double entry = vectors.at(row, column);
        if (std::abs(entry) > std::abs(largest)) largest = entry;
    }
    return largest < 0.0 ? -1.0 : 1.0;
}

}  // namespace

void LinearAlgebra::add_inner_products(std::span<const float> rows, SquareMatrix& gram) {
    if (gram.size == 0 || rows.size() % gram.size != 0)
        throw InternalError("{} elements are not {} rows of equal length", rows.size(), gram.size);
    if (!rows.empty()) add_products(rows, gram);
}

EigenDecomposition LinearAlgebra::decompose(const SquareMatrix& matrix) {
    const std::size_t n = matrix.size;
    if (n == 0) throw InternalError("eigenvalues of an empty matrix");
    if (!std::all_of(matrix.values.begin(), matrix.values.end(), [](double value) { return std::isfinite(value); }))
        throw Error("a matrix whose eigenvalues are asked for holds entries that are not finite");
    const Ascending ascending = solve(matrix);
    EigenDecomposition result{{ascending.values.rbegin(), ascending.values.rend()}, SquareMatrix(n)};
    for (std::size_t k = 0; k < n; ++k) {
        const std::size_t from = n - 1 - k;
        const double sign = sign_of(ascending.vectors, from);
        for (std::size_t row = 0; row < n; ++row)
            result.vectors.at(row, k) = sign * ascending.vectors.at(row, from);
    }
    return result;
}

}  // namespace lossmap
