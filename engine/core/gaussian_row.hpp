#pragma once

#include <cstdint>
#include <span>

namespace lossmap {

/// Elements `first`, first + 1, .. of the Gaussian stream (seed, axis, parameter_hash): bit by bit what `gaussian` of
/// philox.hpp gives one at a time. Many are made on all of the machine's processors.
void gaussian_row(std::uint64_t seed, std::uint32_t axis, std::uint64_t parameter_hash, std::uint64_t first,
                  std::span<float> row);

}  // namespace lossmap
