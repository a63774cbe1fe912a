#pragma once

#include <string>

#include "cuda/runtime/stream.hpp"

namespace lossmap::bench {

/// TFLOP/s (2 operations a multiply-add) of a square cuBLAS product of the given extent: the machine's own ceiling.
/// @param precision  fp16, bf16, tf32 or fp32, fp32 accumulation
[[nodiscard]] double gemm_tflops(const std::string& precision, int extent, const cuda::Stream& stream);

}  // namespace lossmap::bench
