#pragma once

#include <cstddef>
#include <span>
#include <string>
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

/// Eigenvalues of a symmetric matrix, largest first, and unit eigenvectors.
struct EigenDecomposition {
    std::vector<double> values;
    SquareMatrix vectors;  ///< column k belongs to values[k]; its entry of largest magnitude is positive
};

/// What the principal components of a trajectory need, in fp64. Not thread-safe.
class LinearAlgebra {
public:
    virtual ~LinearAlgebra() = default;
    LinearAlgebra() = default;
    LinearAlgebra(const LinearAlgebra&) = delete;
    LinearAlgebra& operator=(const LinearAlgebra&) = delete;

    /// Elements whose products are summed before they are added to the matrix.
    static constexpr std::size_t kChunk = 512;
    /// Adds the inner products of all pairs of rows to the lower triangle of `gram` (row >= column): `rows` holds
    /// gram.size rows of equal length one behind the other. fp32 in, fp64 products (exact) and sums. Within a chunk of
    /// kChunk elements lane l of eight adds elements l, l + 8, .., then the lanes are added in order; chunks are added
    /// to the matrix in order. So every implementation gives the same bits, and rows that are handed over in several
    /// calls give those of one call, as long as all but the last bring multiples of kChunk elements.
    void add_inner_products(std::span<const float> rows, SquareMatrix& gram);

    /// Of a symmetric matrix. The same matrix gives the same bits again; implementations differ by rounding, and by the
    /// choice of a basis where eigenvalues are equal. Throws Error when an entry is not finite or nothing is found.
    [[nodiscard]] EigenDecomposition decompose(const SquareMatrix& matrix);

    /// What computes eigenvalues, for messages and records: "LAPACK dsyevd".
    [[nodiscard]] virtual std::string implementation() const = 0;

protected:
    /// Eigenvalues in ascending order, and vectors of either sign, as the columns of `vectors`.
    struct Ascending {
        std::vector<double> values;
        SquareMatrix vectors;
    };
    /// add_inner_products of at least one row with at least one element.
    virtual void add_products(std::span<const float> rows, SquareMatrix& gram) = 0;
    /// @param matrix  of at least one row, finite
    [[nodiscard]] virtual Ascending solve(const SquareMatrix& matrix) = 0;
};

}  // namespace lossmap
