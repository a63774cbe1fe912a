#pragma once

#include <memory>
#include <optional>

#include "cuda/backend/convolution.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/pass_model.hpp"
#include "kernels/kernel_table.hpp"

/// The kernel convolution_tiles as one of the ways of a convolution. Libraries convolve once a point, as every point
/// has weights of its own; for few images that is mostly launches and a device that is not full.
namespace lossmap::cuda {

inline constexpr const char* kTiledFamily = "convolution_tiles";

/// What the model knows of both kinds of way. Nothing where the kernel does not compute the problem.
[[nodiscard]] std::optional<ConvolutionTimes> convolution_times(const ConvolutionProblem& problem,
                                                                const DeviceFacts& facts);

/// Nothing where the kernel does not compute the problem, or would take so much longer that it is not worth measuring.
[[nodiscard]] std::optional<LibraryWay> tiled_way(const ConvolutionProblem& problem, const DeviceFacts& facts);
/// Whether the kernel is taken where nothing is measured.
[[nodiscard]] bool tiles_are_likely(const ConvolutionProblem& problem, const DeviceFacts& facts);

/// Whether the kernel may leave the maxima of 2 x 2 pixels of the result.
[[nodiscard]] bool tiles_pool(const ConvolutionProblem& problem, const DeviceFacts& facts);

/// Computes all points of its operands; leaves a residual to others, and the activation then, too.
[[nodiscard]] std::unique_ptr<ConvolutionPlan> make_tiled_plan(const ConvolutionProblem& problem,
                                                               const kernels::KernelTable& table);

}  // namespace lossmap::cuda
