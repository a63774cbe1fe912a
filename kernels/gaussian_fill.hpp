#pragma once

#include <cstdint>

#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// out[i] = gaussian(seed, axis, parameter_hash, first + i) of core/philox.hpp, bit by bit.
struct GaussianFillArgs {
    float* out = nullptr;
    std::int64_t count = 0;
    std::uint64_t seed = 0;
    std::uint32_t axis = 0;
    std::uint64_t parameter_hash = 0;  ///< name_hash of the parameter's name
    std::uint64_t first = 0;
};

}  // namespace lossmap::kernels
