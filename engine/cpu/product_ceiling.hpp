#pragma once

#include <cstddef>

#include "backend/backend.hpp"

namespace lossmap::cpu {

/// Rate of oneDNN's product of bf16 matrices on `threads` cores at once, each with its own: vdpbf16ps or AMX, whatever
/// the machine has. Matrices of 512 x 512 lie in the second-level cache; up to 2048 x 2048 none were faster by more
/// than noise (Zen 4, 234 GFLOP/s a core, which is what vdpbf16ps on registers alone reaches). bf16_available() must
/// hold.
/// @param seconds  that each thread measures for, at least one product.
[[nodiscard]] Ceiling measure_product_ceiling(std::size_t threads, double seconds);

}  // namespace lossmap::cpu
