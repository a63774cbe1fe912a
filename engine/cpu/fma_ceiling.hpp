#pragma once

#include <cstddef>
#include <string>

namespace lossmap::cpu {

/// What cores can do at most.
struct FmaCeiling {
    double gflops = 0.0;       ///< fp32, multiply and add counted as two; the best of many short rounds
    double mean_gflops = 0.0;  ///< of all rounds: less, where others use the cores, too
    std::string instructions;  ///< "avx512f", "avx2+fma", "none"
};

/// Measures fused multiply-adds on registers only, in the calling thread, for about `seconds`.
[[nodiscard]] FmaCeiling measure_fma_ceiling(double seconds);

/// The same on so many threads at once, bound as those of networks are; the sum of their rates.
[[nodiscard]] FmaCeiling measure_fma_ceiling(std::size_t threads, double seconds);

}  // namespace lossmap::cpu
