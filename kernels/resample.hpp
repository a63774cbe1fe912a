#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// One dimension of a linear or cubic Resize: out [outer, out_extent, inner] with out[o, x, i] = sum_k weights[x, k] *
/// in[o, sources[x, k], i], summed in fp64. Dimensions are resampled one after the other.
struct ResampleArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t in_extent = 1;
    std::int64_t out_extent = 1;
    std::int64_t inner = 1;
    int taps = 1;
    const std::int32_t* sources = nullptr;  ///< [out_extent, taps] in device memory, clamped to the input
    const double* weights = nullptr;        ///< [out_extent, taps]
};

}  // namespace lossmap::kernels
