#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// What stands behind a convolution or dense layer where its library call does not fuse it: out = f(in + bias[channel]
/// + residual) over [rows, channels] (channels last) or [rows, channels, inner]; each part may be absent. fp32
/// arithmetic; out may be in or the residual.
struct EpilogueArgs {
    Input in;
    Input bias;      ///< [channels]; null data: none
    Input residual;  ///< of the shape of `in`; null data: none
    Output out;
    std::int64_t points = 1;
    std::int64_t rows = 1;
    std::int64_t channels = 1;
    std::int64_t inner = 1;
    UnaryFunction activation;
    OverflowFlags overflow;  ///< watches what the activation is applied to
};

}  // namespace lossmap::kernels
