#pragma once

#include <array>
#include <cstdint>

#include "backend/backend.hpp"
#include "core/dtype.hpp"
#include "cuda/backend/library_plan.hpp"

namespace lossmap::cuda {

/// Cross-correlation of channels-last images with one set of weights: images [N, D, H, W, C], weights [K, kd, kh, kw, C
/// / groups], result [N, D', H', W', K]. One and two dimensions stand in the last places, the others are 1.
struct ConvolutionProblem {
    std::int64_t images = 0;
    std::int64_t channels = 0;
    std::int64_t out_channels = 0;
    std::int64_t groups = 1;
    std::array<std::int64_t, 3> input{1, 1, 1};
    std::array<std::int64_t, 3> kernel{1, 1, 1};
    std::array<std::int64_t, 3> output{1, 1, 1};
    std::array<std::int64_t, 3> stride{1, 1, 1};
    std::array<std::int64_t, 3> dilation{1, 1, 1};
    std::array<std::int64_t, 3> pad_begin{0, 0, 0};
    std::array<std::int64_t, 3> pad_end{0, 0, 0};
    DType type = DType::f32;                ///< of images, weights, residual and result
    Precision precision = Precision::fp32;  ///< fp32: no TF32; fp16, bf16: fp32 accumulation
    bool bias = false;                      ///< f32 [K]
    bool residual = false;                  ///< like the result, added to it
    bool relu = false;
    std::int64_t alignment = 16;  ///< bytes that the address of every operand is a multiple of
    /// Convolutions of as many points, each with weights of its own, that a plan may compute at once, and elements from
    /// one to the next; 0: one for all. Libraries know nothing of it: their plans compute one at a time.
    std::int64_t points = 1;
    std::int64_t stride_images = 0;
    std::int64_t stride_weights = 0;
    std::int64_t stride_bias = 0;
    std::int64_t stride_result = 0;
    /// Of the result only the maxima of 2 x 2 pixels are read, so that a plan may leave these in its place. Libraries
    /// do not.
    bool pooled = false;
    std::int64_t stride_pooled = 0;

    friend bool operator==(const ConvolutionProblem&, const ConvolutionProblem&) = default;
};

struct ConvolutionOperands {
    const void* images = nullptr;
    const void* weights = nullptr;
    const float* bias = nullptr;
    const void* residual = nullptr;
    void* result = nullptr;  ///< not the images; may be the residual; of a plan that pools, the maxima
    void* workspace = nullptr;
    std::int64_t points = 1;  ///< more than one only where the plan covers points
};

/// One way to compute a convolution: joins all that its problem has of bias, residual and activation, or none, or all
/// but the activation.
class ConvolutionPlan : public LibraryPlan {
public:
    /// Whether a run computes all points of its operands; else it computes one.
    [[nodiscard]] virtual bool covers_points() const { return false; }
    /// Whether a run leaves the maxima of 2 x 2 pixels alone; only where the problem allows it.
    [[nodiscard]] virtual bool pools() const { return false; }
    /// Called from Queue::launch with its native handle.
    virtual void run(const ConvolutionOperands& operands, void* stream) const = 0;
};

}  // namespace lossmap::cuda
