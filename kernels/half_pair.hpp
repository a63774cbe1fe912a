#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "core/host_device.hpp"

/// Two f16 in one 32-bit register, the first one in the low bits: what tensor-core kernels compute their epilogues on.
namespace lossmap::kernels {

/// Rounds two numbers to f16, to nearest even; what does not fit becomes infinite.
LOSSMAP_HD inline std::uint32_t pack_halves(float first, float second) {
#if defined(__CUDA_ARCH__)
    std::uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
#else
    return static_cast<std::uint32_t>(float_to_half(second)) << 16 | float_to_half(first);
#endif
}

LOSSMAP_HD inline float half_of(std::uint16_t bits) {
#if defined(__CUDA_ARCH__)
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#else
    return half_to_float(bits);
#endif
}
LOSSMAP_HD inline float first_half(std::uint32_t pair) { return half_of(static_cast<std::uint16_t>(pair)); }
LOSSMAP_HD inline float second_half(std::uint32_t pair) { return half_of(static_cast<std::uint16_t>(pair >> 16)); }
LOSSMAP_HD inline float half_number(std::uint32_t pair, int k) { return k == 0 ? first_half(pair) : second_half(pair); }

/// In each half the larger one; NaN when either is.
LOSSMAP_HD inline std::uint32_t larger_halves(std::uint32_t a, std::uint32_t b) {
#if defined(__CUDA_ARCH__)
    std::uint32_t result;
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    const auto larger = [](std::uint32_t x, std::uint32_t y) -> std::uint32_t {
        if ((x & 0x7fffu) > 0x7c00u || (y & 0x7fffu) > 0x7c00u) return 0x7fffu;
        const float left = half_of(static_cast<std::uint16_t>(x)), right = half_of(static_cast<std::uint16_t>(y));
        if (left == right) return x & y;  // of two zeros the positive one
        return left > right ? x : y;
    };
    return larger(a & 0xffffu, b & 0xffffu) | larger(a >> 16, b >> 16) << 16;
#endif
}

/// In each half the larger one of a magnitude and another number's magnitude; NaN stays.
LOSSMAP_HD inline std::uint32_t larger_magnitudes(std::uint32_t magnitudes, std::uint32_t pair) {
#if defined(__CUDA_ARCH__)
    std::uint32_t positive;
    asm("abs.f16x2 %0, %1;" : "=r"(positive) : "r"(pair));
    return larger_halves(magnitudes, positive);
#else
    return larger_halves(magnitudes, pair & 0x7fff7fffu);
#endif
}

LOSSMAP_HD inline std::uint32_t larger_bits(std::uint32_t a, std::uint32_t b) { return a > b ? a : b; }

/// Whether one of two magnitudes is infinite or NaN.
LOSSMAP_HD inline bool has_non_finite(std::uint32_t magnitudes) {
    return (magnitudes & 0x7c00u) == 0x7c00u || (magnitudes & 0x7c000000u) == 0x7c000000u;
}

}  // namespace lossmap::kernels
