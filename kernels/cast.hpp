#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// Conversion between any two element types: floating point to integer truncates and saturates (NaN gives 0), to bool
/// compares with zero, integer to narrower integer wraps, integer to floating point rounds once.
struct CastArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t count = 0;
    OverflowFlags overflow;
};

}  // namespace lossmap::kernels
