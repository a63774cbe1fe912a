#pragma once

#include <bit>
#include <cstdint>

/// bfloat16 as bit patterns, for loops that the compiler turns into vector instructions (core/dtype.hpp's functions are
/// not inline).
namespace lossmap::cpu {

/// To nearest, ties to even; NaN stays NaN.
[[gnu::always_inline]] inline std::uint16_t bf16_of(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    // With the quiet bit, lest a NaN's upper half be an infinity.
    const std::uint32_t nan = (bits >> 16) | 0x40U;
    const std::uint32_t number = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    return static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? nan : number);
}

[[gnu::always_inline]] inline float float_of_bf16(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace lossmap::cpu
