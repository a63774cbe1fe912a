#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace lossmap {

/// Square matrix, row-major, zero at first.
struct SquareMatrix {
    explicit SquareMatrix(std::size_t order) : size(order), values(order * order, 0.0) {}
    [[nodiscard]] double& at(std::size_t row, std::size_t column) { return values[row * size + column]; }
    [[nodiscard]] double at(std::size_t row, std::size_t column) const { return values[row * size + column]; }

    std::size_t size;
    std::vector<double> values;
};

/// Elements whose products are summed in registers before they are added to the matrix.
inline constexpr std::size_t kGramChunk = 512;

/// Adds the inner products of all pairs of rows to the lower triangle of `gram` (row >= column): `rows` holds
/// gram.size rows of equal length one behind the other. fp32 in, fp64 products (exact) and sums. Rows that are handed
/// over in several calls give the same bits as in one, as long as all but the last call bring multiples of kGramChunk
/// elements; so does any number of threads and any instruction set.
void add_inner_products(std::span<const float> rows, int threads, SquareMatrix& gram);

}  // namespace lossmap
