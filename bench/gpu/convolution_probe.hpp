#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/runtime/stream.hpp"

namespace lossmap::bench {

/// A square convolution, "same" padding, NHWC.
struct ConvolutionShape {
    std::int64_t images = 1;
    std::int64_t channels_in = 1;
    std::int64_t channels_out = 1;
    std::int64_t height = 1;
    std::int64_t width = 1;
    std::int64_t kernel = 3;
    std::int64_t stride = 1;

    [[nodiscard]] double multiply_adds() const {
        return static_cast<double>(images * channels_in * channels_out * kernel * kernel * (height / stride) *
                                   (width / stride));
    }
};

/// What cuDNN's fastest deterministic plan makes of it.
struct ConvolutionResult {
    std::string precision;  ///< fp16, bf16, tf32, fp32
    std::string epilogue;   ///< none, bias_relu, bias_add_relu
    double best_ms = 0.0;
    int plans = 0;     ///< deterministic ones that ran, of the first few
    std::string plan;  ///< engine and knobs of the fastest
    std::int64_t workspace_bytes = 0;
    std::string failure;  ///< "" or why there is none
};

/// Builds conv (+ bias (+ residual) + ReLU) as one cuDNN graph, runs the first few plans that the heuristics offer,
/// plans with the note NONDETERMINISTIC left out, and times them.
[[nodiscard]] ConvolutionResult probe_convolution(const ConvolutionShape& shape, const std::string& precision,
                                                  const std::string& epilogue, const cuda::Stream& stream);

/// "9.13.0" of the library that is loaded.
[[nodiscard]] std::string cudnn_version();

}  // namespace lossmap::bench
