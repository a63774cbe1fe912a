#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// CumSum and CumProd along the middle of [outer, count, inner]; fp64 or 64-bit integers within.
struct CumulativeArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    bool product = false;
    bool exclusive = false;
    bool reverse = false;
};

/// TopK along the middle of [outer, count, inner]: values and i64 indices [outer, k, inner], in order, the lower index
/// first among equals; NaN counts as the largest.
struct TopKArgs {
    Input in;
    Output values;   ///< null data: not wanted
    Output indices;  ///< null data: not wanted
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    std::int64_t k = 1;
    bool largest = true;
};

}  // namespace lossmap::kernels
