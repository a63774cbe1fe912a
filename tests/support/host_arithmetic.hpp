#pragma once

#include "cuda/backend/convolution.hpp"
#include "cuda/backend/gemm.hpp"

/// Products and convolutions as loops, for the emulated device: operands as they are stored, sums in fp32, one rounding
/// to the storage type at the end. TF32 rounds both operands to 10 bits of mantissa first.
namespace lossmap::test {

/// @param joined  whether bias and activation of the problem are computed
void multiply(const cuda::GemmProblem& problem, bool joined, const cuda::GemmOperands& operands);

/// @param joined  whether bias, residual and activation of the problem are computed
void convolve(const cuda::ConvolutionProblem& problem, bool joined, const cuda::ConvolutionOperands& operands);

/// Eigenvalues, ascending, and eigenvectors, one a row, of a symmetric matrix [order, order], which the vectors
/// replace. By rotations (Jacobi). Every other vector points the wrong way, as none is better than its opposite.
void find_eigenvectors(std::int64_t order, double* matrix, double* values);

}  // namespace lossmap::test
