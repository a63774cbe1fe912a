#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// A matrix through strides, so any transposition; `batch_stride` between the matrices of one point.
struct MatrixStrides {
    std::int64_t row = 0;
    std::int64_t column = 1;
    std::int64_t batch = 0;
};

/// out = f(alpha * a b + beta * addend) for [m, k] x [k, n] at every point and batch; fp32 accumulation by fused
/// multiply-add in the order of k. The plain way beside cuBLAS: what a fake device runs, and a reference.
struct GemmArgs {
    Input a;
    Input b;
    Input addend;  ///< any strides, 0 broadcasts; null data: none
    Output out;
    std::int64_t points = 1;
    std::int64_t batches = 1;
    std::int64_t m = 1;
    std::int64_t n = 1;
    std::int64_t k = 1;
    MatrixStrides a_strides;
    MatrixStrides b_strides;
    MatrixStrides addend_strides;
    MatrixStrides out_strides;
    float alpha = 1.0F;
    float beta = 1.0F;
    UnaryFunction activation;
    OverflowFlags overflow;  ///< elements are counted as [batches, m, n]
};

}  // namespace lossmap::kernels
