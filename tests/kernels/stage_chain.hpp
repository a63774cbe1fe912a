#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernel_case.hpp"

/// Chains of convolutions for the stage kernels, with data and with what they must give.
namespace lossmap::kernels::test {

/// A chain on [samples, side, side, channels]; weights here are [points, blocks, filters, channels, 3, 3], the blocks
/// of the exit and the shortcut behind those of the layers.
struct Chain {
    std::int64_t points = 2, samples = 1;
    int channels = 16, side = 32, tile_images = 1;
    std::vector<std::uint8_t> kinds;
    int in_channels = channels, out_channels = channels;
    int exit_channels = 0;
    bool shortcut = false;
    int products = 0;  ///< of f16 halves for one of f32: 3, split_stage; 1, tf32_stage; 0: activations are f16, stage
    bool warpgroup = false;  ///< on wgmma: warpgroup_stage, warpgroup_split_stage
    int max_blocks = 0;      ///< of these: so that a block has several tiles
    Tensor in, residual, weights, bias;

    [[nodiscard]] std::int64_t layers() const { return static_cast<std::int64_t>(kinds.size()); }
    [[nodiscard]] std::int64_t parts() const { return (exit_channels + channels - 1) / channels; }
    [[nodiscard]] std::int64_t blocks() const { return layers() + parts() * (shortcut ? 2 : 1); }
    [[nodiscard]] const char* kernel() const {
        if (warpgroup) return products == 3 ? "warpgroup_split_stage" : "warpgroup_stage";
        return products == 3 ? "split_stage" : products == 1 ? "tf32_stage" : "stage";
    }
    [[nodiscard]] DType type() const { return products > 0 ? DType::f32 : DType::f16; }
    [[nodiscard]] std::int64_t halves() const { return products == 3 ? 2 : 1; }  ///< of a weight
    void launch(Device& device, const StageArgs& args) const {
        const KernelTable& table = device.table();
        (products == 3   ? warpgroup ? table.warpgroup_split_stage : table.split_stage
         : products == 1 ? table.tf32_stage
         : warpgroup     ? table.warpgroup_stage
                         : table.stage)(args, device.queue());
    }
    [[nodiscard]] std::int64_t pixels() const { return std::int64_t{1} * side * side; }
    [[nodiscard]] std::int64_t filters() const { return std::int64_t{9} * channels * channels; }
    [[nodiscard]] bool keeps_result() const { return !shortcut; }
    /// Elements of an image, as results and as what the exit makes of it.
    [[nodiscard]] std::int64_t image() const { return pixels() * out_channels; }
    [[nodiscard]] std::int64_t exit_image() const { return pixels() / 4 * exit_channels; }

    /// For one kernel shape.
    template <typename Of>
    static Chain of(Of, std::int64_t points, std::vector<std::uint8_t> kinds) {
        Chain chain;
        chain.points = points;
        chain.samples = Of::kImages + 1;  // the last block is not full
        chain.channels = chain.in_channels = chain.out_channels = Of::kChannels;
        chain.side = Of::kSide;
        chain.tile_images = Of::kImages;
        chain.kinds = std::move(kinds);
        chain.warpgroup = requires { Of::kWarpgroups; };
        if (chain.warpgroup) chain.max_blocks = 2;
        return chain;
    }
};

/// A layer with an exit of twice the channels and a shortcut.
template <typename Of>
Chain exit_of(Of shape, std::int64_t points) {
    Chain chain = Chain::of(shape, points, {kStageRelu});
    chain.exit_channels = 2 * chain.channels;
    chain.shortcut = true;
    return chain;
}

inline constexpr std::uint8_t kPlain = 0, kRelu = kStageRelu, kInner = kStageRelu | kStageAddInput,
                              kBlock = kStageRelu | kStageAddPrevious, kLinearBlock = kStageAddPrevious;

/// The launch's results against the definition of a convolution.
[[nodiscard]] KernelCase chain_case(const std::string& name, std::shared_ptr<const Chain> chain, double tolerance);
/// Which samples are flagged: as is `expected`, or in fp16 those that overflow.
[[nodiscard]] KernelCase flags_of(const std::string& name, std::shared_ptr<const Chain> chain,
                                  std::vector<std::int64_t> expected = {});
/// One sample's input is too large in one channel, negative sums in front of a ReLU; another one's is NaN.
[[nodiscard]] KernelCase input_flags_case(Chain shape);
/// The exit's sums do not fit f16 in one sample, below zero in front of its ReLU; another sample's shortcut neither.
[[nodiscard]] KernelCase exit_flags_case(Chain shape);
/// Integers up to `limit` and few weights a filter: every sum is exact, so must be the result.
[[nodiscard]] std::shared_ptr<Chain> integers(Chain shape, std::int64_t limit = 3);
/// Random numbers in every place, of a size that layers keep.
[[nodiscard]] std::shared_ptr<Chain> dense(Chain shape);

}  // namespace lossmap::kernels::test
