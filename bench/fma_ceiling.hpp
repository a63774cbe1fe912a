#pragma once

#include <string>

namespace lossmap::bench {

/// What one core can do at most.
struct FmaCeiling {
    double gflops = 0.0;       ///< fp32, multiply and add counted as two
    std::string instructions;  ///< "avx512f", "avx2+fma", "none"
};

/// Measures fused multiply-adds on registers only, in the calling thread, for about `seconds`. The best of
/// many short rounds: what else the machine does only takes away.
[[nodiscard]] FmaCeiling measure_fma_ceiling(double seconds);

}  // namespace lossmap::bench
