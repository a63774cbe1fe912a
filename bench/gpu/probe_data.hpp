#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/dtype.hpp"

/// What the probes of whole layers compute on, and how far two results are apart.
namespace lossmap::bench {

/// Uniform in [-1, 1) from a counter.
inline float noise(std::uint64_t k) {
    k = (k + 1) * 0x9e3779b97f4a7c15u;
    k ^= k >> 29;
    k *= 0xbf58476d1ce4e5b9u;
    k ^= k >> 32;
    return static_cast<float>(static_cast<double>(k >> 11) * 0x1p-52 - 1.0);
}

/// Numbers that repeat after a prime number of them, so that no two images or layers are alike: timing must not wait
/// for random numbers.
inline constexpr std::size_t kPeriod = 1'000'003;
inline std::vector<float> numbers(std::int64_t count, double range, std::uint64_t seed) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t k = 0; k < values.size(); ++k)
        values[k] = k < kPeriod ? noise(seed + k) * static_cast<float>(range) : values[k - kPeriod];
    return values;
}

/// The same in f16.
inline std::vector<std::uint16_t> halves(std::int64_t count, double range, std::uint64_t seed) {
    const auto size = static_cast<std::size_t>(count);
    const std::vector<float> values = numbers(static_cast<std::int64_t>(std::min(size, kPeriod)), range, seed);
    std::vector<std::uint16_t> result(size);
    for (std::size_t k = 0; k < size; ++k)
        result[k] = k < kPeriod ? float_to_half(values[k]) : result[k - kPeriod];
    return result;
}

/// f16 where 16 bytes at a time may be read.
struct alignas(16) HalfPack {
    std::uint16_t values[8];
};
inline std::vector<HalfPack> packed(const std::vector<std::uint16_t>& values) {
    std::vector<HalfPack> packs(values.size() / 8);
    std::memcpy(packs.data(), values.data(), packs.size() * sizeof(HalfPack));
    return packs;
}

/// Largest difference over the largest expected magnitude; NaN when anything is.
inline double largest_difference(const std::vector<std::uint16_t>& actual, const std::vector<HalfPack>& expected) {
    double largest = 0.0, difference = 0.0;
    for (std::size_t k = 0; k < actual.size(); ++k) {
        const double wanted = static_cast<double>(half_to_float(expected[k / 8].values[k % 8]));
        const double apart = std::abs(static_cast<double>(half_to_float(actual[k])) - wanted);
        largest = std::max(largest, std::abs(wanted));
        difference = apart <= difference ? difference : apart;
    }
    return difference / largest;
}

}  // namespace lossmap::bench
