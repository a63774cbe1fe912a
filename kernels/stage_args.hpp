#pragma once

#include <cstdint>

#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// Layers that one launch runs at most.
inline constexpr int kMaxStageLayers = 64;

/// What a layer does behind its convolution; bits.
enum StageLayer : std::uint8_t {
    kStageRelu = 1,
    kStageAddInput = 2,     ///< adds the layer's own input
    kStageAddPrevious = 4,  ///< adds the input of the layer in front of it; of the first layer: `residual`
};

/// What a value below which nothing is kept is, twice: 0 for ReLU, -inf otherwise.
LOSSMAP_HD constexpr std::uint32_t stage_floor(bool relu) { return relu ? 0u : 0xfc00fc00u; }

/// A chain of 3x3 convolutions with stride 1, zero padding and equal channels on square planes, with bias, residual
/// additions and ReLU: out = layer_n(.. layer_1(in)), f16 between layers, f32 sums. Activations stay in shared memory.
/// Pixels in global memory may hold fewer channels than the kernel computes: the others are zeros.
///
/// Behind the last layer two convolutions with stride 2 may lead to the next resolution: a 3x3 one with zero padding
/// and, for a shortcut, a 1x1 one, both of the chain's result, which then need not be written.
struct StageArgs {
    Input in;         ///< f16 [samples, side, side, in_channels]; 16-byte aligned, as all the others
    Input residual;   ///< f16 [samples, side, side, out_channels]: what stands for the input of a layer in front of the
                      ///< first one; null data: none
    Input weights;    ///< f16 [blocks, 9 taps, channels / 8, filters, 8 channels]: a block a layer, then those of the
                      ///< exit and of the shortcut, a block for each `channels` filters; 1x1 stands at the middle tap
    Input bias;       ///< f32 [blocks, filters]
    Output out;       ///< like `residual`; null data: not wanted
    Output exit;      ///< f16 [samples, side / 2, side / 2, exit_channels]; null data: none
    Output shortcut;  ///< like `exit`
    std::int64_t points = 1;
    std::int64_t samples = 1;
    int channels = 0;
    int side = 0;
    int tile_images = 0;  ///< that a block works on at a time: one of the shapes of kernels/stage_shape.hpp
    int in_channels = 0;  ///< multiples of 8, at most `channels`
    int out_channels = 0;
    int exit_channels = 0;  ///< a multiple of 8, at most twice `channels`
    int layers = 0;
    std::uint8_t kinds[kMaxStageLayers] = {};  ///< StageLayer bits
    bool exit_relu = false;
    int max_blocks = 0;      ///< of a launch on wgmma, each with a tile after the other; 0: as many as the device holds
    OverflowFlags overflow;  ///< watches what is stored behind every layer, before its ReLU

    /// Blocks of weights for all filters of an exit, and in all. Kernels ask once a layer: a division here would cost
    /// them some 200 cycles a time.
    [[nodiscard]] LOSSMAP_HD int exit_parts() const { return exit_channels > channels ? 2 : 1; }
    [[nodiscard]] LOSSMAP_HD int blocks() const {
        return layers + (exit.data == nullptr ? 0 : exit_parts() * (shortcut.data == nullptr ? 1 : 2));
    }

    /// Remembers that something of a sample did not fit f16.
    LOSSMAP_HD void flag(std::int64_t point, std::int64_t sample) const {
        if (overflow.data == nullptr || sample >= samples) return;
        std::uint32_t* word = overflow.data + point * (overflow.samples + 1) + sample;
        if (*word == 0) set_bits(word, 1);
    }
};

}  // namespace lossmap::kernels
