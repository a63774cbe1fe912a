#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

enum class ReduceOp : std::uint8_t { sum, mean, prod, max, min, l1, l2, sum_square, log_sum, log_sum_exp };

/// Row-major output over `kept`; each element is the reduction over `reduced` of the input, read through strides.
/// Floating point accumulates in fp64, integers and bool in 64 bits.
struct ReduceArgs {
    ReduceOp op = ReduceOp::sum;
    Input in;
    Output out;
    std::int64_t points = 1;
    Dims kept;
    Strides kept_strides;
    Dims reduced;
    Strides reduced_strides;
    OverflowFlags overflow;
};

/// ArgMax and ArgMin along the middle of [outer, count, inner]; i64 [outer, inner]. NaN counts as the extreme.
struct ArgReduceArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    bool largest = true;
    bool last_index = false;  ///< the last extreme instead of the first
};

}  // namespace lossmap::kernels
