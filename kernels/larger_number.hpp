#pragma once

#include <cmath>

#include "core/host_device.hpp"

namespace lossmap::kernels {

/// The larger one of two numbers; NaN when either is.
LOSSMAP_HD inline float larger_number(float a, float b) {
#if defined(__CUDA_ARCH__)
    float result;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
    return result;
#else
    if (std::isnan(a) || std::isnan(b)) return NAN;
    return a > b ? a : b;
#endif
}

}  // namespace lossmap::kernels
