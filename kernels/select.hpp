#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Where: out[i] = condition[i] ? a[i] : b[i] over a row-major output, operands read through strides. a, b and out have
/// one element type, of any kind; the condition is bool.
struct SelectArgs {
    Input condition;
    Input a;
    Input b;
    Output out;
    std::int64_t points = 1;
    Dims dims;
    Strides condition_strides;
    Strides a_strides;
    Strides b_strides;
};

}  // namespace lossmap::kernels
