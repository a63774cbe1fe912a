#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/dtype.hpp"

/// Ways to multiply numbers of fp32 on tensor cores, emulated (docs/decisions/0021-split-products.md).
namespace lossmap::bench {

constexpr int kMostParts = 3;
using Parts = std::array<float, kMostParts>;

inline float to_fp16(float value) { return half_to_float(float_to_half(value)); }
inline float to_bf16(float value) { return bfloat16_to_float(float_to_bfloat16(value)); }
/// To nearest, ties away from zero, as cvt.rna.tf32.f32.
inline float to_tf32(float value) {
    if (!std::isfinite(value)) return value;
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x1000u) & 0xffffe000u);
}

/// How a product is taken apart.
struct Scheme {
    const char* name;
    float (*round)(float);  ///< to what tensor cores multiply; nullptr: fp32 by fused multiply-add
    int parts = 1;
    std::vector<std::pair<int, int>> products;  ///< part of the pixel, part of the weight
    int depth = 16;                             ///< products that one instruction adds
    float weight_scale = 1.0F;
    bool stores_parts = false;  ///< activations are kept as the parts' sum
    bool apart = false;         ///< products with a low part are summed apart, and added in the end

    [[nodiscard]] Parts split(float value) const {
        Parts result{};
        for (int k = 0; k < parts; ++k) {
            result[static_cast<std::size_t>(k)] = round(value);
            value -= result[static_cast<std::size_t>(k)];
        }
        return result;
    }
    [[nodiscard]] float stored(float value) const {
        if (!stores_parts || !std::isfinite(value)) return value;
        float sum = 0.0F;
        for (const float part : split(value))
            sum += part;
        return sum;
    }
};

inline std::vector<Scheme> schemes() {
    const std::vector<std::pair<int, int>> one{{0, 0}}, three{{0, 1}, {1, 0}, {0, 0}},
        six{{0, 2}, {2, 0}, {1, 1}, {0, 1}, {1, 0}, {0, 0}};
    return {{"fp32, fused multiply-add", nullptr, 1, {}},
            {"fp16", to_fp16, 1, one, 16, 1.0F, true},
            {"tf32", to_tf32, 1, one, 8},
            {"bf16 x 3", to_bf16, 2, three, 16, 1.0F, true},
            {"bf16 x 6", to_bf16, 3, six, 16},
            {"fp16 x 3", to_fp16, 2, three, 16, 1.0F, true},
            {"fp16 x 3, weights x 64", to_fp16, 2, three, 16, 64.0F, true},
            {"fp16 x 3, low ones apart", to_fp16, 2, three, 16, 1.0F, true, true},
            {"tf32 x 3", to_tf32, 2, three, 8, 1.0F, true}};
}

/// sum + the products of `count` pairs, as tensor cores add: all terms are cut off one bit below the last place of the
/// largest one, the result is cut off to 24 bits ("Numerical behavior of NVIDIA tensor cores", Fasi and others, 2021).
inline float tensor_core_sum(float sum, const float* a, const float* b, std::int64_t count) {
    std::array<double, 17> terms;
    terms[0] = static_cast<double>(sum);
    double largest = std::abs(terms[0]);
    bool finite = std::isfinite(sum);
    for (std::int64_t k = 0; k < count; ++k) {
        const double term = static_cast<double>(a[k]) * static_cast<double>(b[k]);
        terms[static_cast<std::size_t>(k + 1)] = term;
        largest = std::max(largest, std::abs(term));
        finite = finite && std::isfinite(term);
    }
    if (largest == 0.0 && finite) return 0.0F;
    if (!finite) {
        double plain = 0.0;
        for (std::int64_t k = 0; k <= count; ++k)
            plain += terms[static_cast<std::size_t>(k)];
        return static_cast<float>(plain);
    }
    // Products of numbers that f32 holds: no exponent here is near the ends of f64's.
    const std::uint64_t exponent = std::bit_cast<std::uint64_t>(largest) >> 52;
    const auto power = [](std::uint64_t biased) { return std::bit_cast<double>(biased << 52); };
    const double unit = power(exponent - 24), inverse = power(2 * 1023 - exponent + 24);
    std::int64_t total = 0;
    for (std::int64_t k = 0; k <= count; ++k)
        total += static_cast<std::int64_t>(terms[static_cast<std::size_t>(k)] * inverse);
    // To 24 bits, towards zero.
    const auto magnitude = static_cast<std::uint64_t>(std::abs(total));
    const int excess = std::max(0, static_cast<int>(std::bit_width(magnitude)) - 24);
    const double cut = static_cast<double>(magnitude >> excess << excess) * unit;
    return static_cast<float>(total < 0 ? -cut : cut);
}

}  // namespace lossmap::bench
