#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "core/host_device.hpp"
#include "kernels/half_pair.hpp"
#include "kernels/larger_number.hpp"
#include "kernels/storage.hpp"

/// fp32 as two f16, for tensor cores: what f16 keeps of a number, and kSplitScale times what that leaves. 22 bits of
/// magnitudes from 2^-14 to 65504; below, 2^-36 in absolute terms.
namespace lossmap::kernels {

/// Without it the low part of numbers below 1/8 would be one of f16's subnormals, and lose bits.
inline constexpr float kSplitScale = 2048.0F;
/// What two halves may be off by, at the most, of a number below 2^-14; of others it is 2^-23 of them.
inline constexpr float kSplitStep = 0x1p-36F;
/// .. and one half.
inline constexpr float kHalfStep = 0x1p-25F;
/// From here on f16 rounds to infinity.
inline constexpr float kSplitBeyond = 65520.0F;

/// Of a number that is not split any more: high + low / kSplitScale.
LOSSMAP_HD inline float joined(float high, float low) { return std::fma(low, 1.0F / kSplitScale, high); }

/// Two numbers, split.
struct SplitPair {
    std::uint32_t high;
    std::uint32_t low;
};

LOSSMAP_HD inline SplitPair split_pair(float first, float second) {
    const std::uint32_t high = pack_halves(first, second);
    return {high, pack_halves((first - first_half(high)) * kSplitScale, (second - second_half(high)) * kSplitScale)};
}

/// The low part of a number.
LOSSMAP_HD inline float low_part(float value) { return (value - to_float(from_float<Half>(value))) * kSplitScale; }

/// What a number is at least: 0 behind ReLU.
LOSSMAP_HD inline float lowest(bool relu) { return relu ? 0.0F : -INFINITY; }

/// Bits of a magnitude: larger ones have larger bits, NaN the largest; and back.
LOSSMAP_HD inline std::uint32_t magnitude_bits(float value) {
    return std::bit_cast<std::uint32_t>(value) & 0x7fffffffu;
}
LOSSMAP_HD inline float magnitude_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

}  // namespace lossmap::kernels
