#pragma once

#include <string>

#include "cuda/backend/convolution.hpp"
#include "cuda/backend/gemm.hpp"

namespace lossmap::cuda {

/// Everything that the choice of a way depends on beside the device, in one line: the problem's name in recorded plans
/// and in the plan cache. Two problems are equal where their texts are.
[[nodiscard]] std::string text_of(const ConvolutionProblem& problem);
[[nodiscard]] std::string text_of(const GemmProblem& problem);

}  // namespace lossmap::cuda
