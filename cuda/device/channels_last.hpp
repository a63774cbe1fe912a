#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/backend/convolution.hpp"

/// Shapes of a convolution's operands as cuDNN wants them told: channels in the second place, strides say where they
/// lie.
namespace lossmap::cuda {

using Dims = std::vector<std::int64_t>;

/// Dimensions that the library sees: two, or three where the outermost one is used.
[[nodiscard]] std::vector<std::size_t> spatial_axes(const ConvolutionProblem& problem);
[[nodiscard]] Dims selected(const std::array<std::int64_t, 3>& values, const std::vector<std::size_t>& axes);
/// [outer, channels, spatial ..]
[[nodiscard]] Dims with_channels(std::int64_t outer, std::int64_t channels, const Dims& spatial);
/// Strides, in elements, of a dense array of [outer, channels, spatial ..] that lies with its channels innermost.
[[nodiscard]] Dims channels_last(const Dims& dims);

}  // namespace lossmap::cuda
