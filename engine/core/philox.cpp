#include "core/philox.hpp"

#include "core/gaussian_element.hpp"

namespace lossmap {

double normal_quantile(std::uint64_t bits) { return normal_quantile_of(bits); }

float gaussian(std::uint64_t seed, std::uint32_t axis, std::uint64_t parameter_hash, std::uint64_t element) {
    return gaussian_element(seed, axis, parameter_hash, element);
}

std::uint64_t random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    const std::array<std::uint32_t, 4> words =
        philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                    static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
                   {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    return (static_cast<std::uint64_t>(words[1]) << 32) | words[0];
}

}  // namespace lossmap
