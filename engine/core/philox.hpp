#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/host_device.hpp"

namespace lossmap {

/// Counter-based generator Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section
/// 3): 128 bits of counter and 64 of key give 128 random bits; no state.
LOSSMAP_HD constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                             std::array<std::uint32_t, 2> key) {
    constexpr std::uint64_t kMultiplier0 = 0xD2511F53u;
    constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57u;
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = kMultiplier0 * counter[0];
        const std::uint64_t product1 = kMultiplier1 * counter[2];
        counter = {
            static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
            static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

/// FNV-1a, 64 bits: turns a parameter's name into part of the generator's counter.
LOSSMAP_HD constexpr std::uint64_t name_hash(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char character : name) {
        hash ^= static_cast<unsigned char>(character);
        hash *= 0x100000001b3u;
    }
    return hash;
}

/// Standard normal quantile of the uniform (bits + 0.5) / 2^53 for `bits` in [0, 2^53): Wichura 1988, algorithm AS 241
/// (PPND16), relative accuracy about 1e-16. Only +, -, *, / and sqrt in fp64, the logarithm included, so that every
/// IEEE platform gives the same number (compile without contraction).
[[nodiscard]] double normal_quantile(std::uint64_t bits);

/// Element `element` of the Gaussian stream (seed, axis, name_hash(parameter name)), rounded to fp32. Two elements
/// share one Philox block: counter {element / 2 low, element / 2 high 24 bits | axis << 24, hash low, hash high}, key =
/// seed.
[[nodiscard]] float gaussian(std::uint64_t seed, std::uint32_t axis, std::uint64_t parameter_hash,
                             std::uint64_t element);

/// Uniform 64 random bits for shuffles: Philox block `index` of stream `stream`.
[[nodiscard]] std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t index);

}  // namespace lossmap
