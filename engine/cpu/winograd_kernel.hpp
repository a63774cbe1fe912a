#pragma once

#include <cstddef>
#include <cstdint>

/// 3x3 convolution of stride 1 with 2.25 times fewer multiplications: F(2x2, 3x3) of Lavin and Gray 2016, "Fast
/// algorithms for convolutional neural networks", section 4.1. Patches of 4x4 inputs are transformed, multiplied in 16
/// matrix products over the channels, and transformed back to 2x2 outputs. Channels-last, AVX-512.
namespace lossmap::cpu {

/// Sizes of one convolution. Channels in and out are multiples of 16.
struct WinogradShape {
    std::int64_t batch = 0;
    std::int64_t height = 0;  ///< of the input
    std::int64_t width = 0;
    std::int64_t channels = 0;
    std::int64_t pad_top = 0;
    std::int64_t pad_left = 0;
    std::int64_t out_height = 0;
    std::int64_t out_width = 0;
    std::int64_t out_channels = 0;

    /// Patches that go through the transforms together: as many as the product's kernel holds in registers, fewer where
    /// wide layers would push them out of the second-level cache, or where narrow ones fit into the first (Zen 4, 32
    /// KiB, 16 channels: 176 GFLOP/s with 8 patches, 148 with 28).
    [[nodiscard]] std::int64_t patches_together() const {
        if (channels + out_channels <= 32) return 8;
        return channels + out_channels <= 128 ? 28 : 14;
    }
    [[nodiscard]] std::size_t scratch_floats() const {
        return static_cast<std::size_t>(16 * patches_together() * (channels + out_channels));
    }
    [[nodiscard]] std::int64_t target_elements() const { return batch * out_height * out_width * out_channels; }
    [[nodiscard]] std::size_t weights_floats() const { return static_cast<std::size_t>(16 * channels * out_channels); }
};

/// Whether this machine has the instructions.
[[nodiscard]] bool winograd_available();

/// weights [out_channels, channels, 3, 3], each output feature multiplied by factors[o] -> [16, channels,
/// out_channels]. `factors` may be nullptr.
void winograd_weights(const float* weights, const float* factors, std::int64_t out_channels, std::int64_t channels,
                      float* transformed);

/// target = convolution(source) + bias + residual, then max(., 0) with NaN kept where `relu`. `bias` and `residual` may
/// be nullptr; `residual` may be `target`. `scratch` has scratch_floats(). An infinity or a NaN in a patch makes all
/// its outputs NaN or infinite, also those that do not read it.
void winograd_convolution(const WinogradShape& shape, const float* source, const float* weights, const float* bias,
                          const float* residual, bool relu, float* target, float* scratch);

/// The same in bf16 with sums in f32: inputs and filters are rounded when they have been transformed, outputs when all
/// has been added.
[[nodiscard]] bool winograd_bf16_available();

/// -> [16, channels / 2, out_channels, 2]
void winograd_weights_bf16(const float* weights, const float* factors, std::int64_t out_channels, std::int64_t channels,
                           std::uint16_t* transformed);

/// As winograd_convolution. Numbers below 2^-126 count as zero, as the instructions have it.
void winograd_convolution_bf16(const WinogradShape& shape, const std::uint16_t* source, const std::uint16_t* weights,
                               const float* bias, const std::uint16_t* residual, bool relu, std::uint16_t* target,
                               float* scratch);

}  // namespace lossmap::cpu
