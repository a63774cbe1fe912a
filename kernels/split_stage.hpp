#pragma once

#include <bit>
#include <cstdint>

#include "kernels/split_exit.hpp"
#include "kernels/split_layer.hpp"
#include "kernels/split_ledger.hpp"
#include "kernels/stage.hpp"

namespace lossmap::kernels {

/// A stage in fp32 by products of f16 halves, or in tf32 by products of what f16 keeps, which are tf32's 11 bits
/// (docs/decisions/0021-split-products.md): StageArgs with activations in f32, and with weights f16 [blocks, halves, 9
/// taps, channels / 8, filters, 8 channels], split as kernels/split_pair.hpp says. What is added behind a convolution
/// is not rounded to one half in either. A block takes one tile of images at one point through all layers, as
/// kernels/stage.hpp tells.
///
/// Half of the warps copy the next layer's weights and begin kLag cycles later: of two warps that share a tensor core
/// one then rounds and stores a row while the other one's products run, instead of both doing first this, then that.
///
/// A sample is flagged where the halves do not stand for fp32: when what goes in or what a layer makes of it (behind
/// its activation) reaches 65520 or is no number, and when a result is made of numbers too small for them
/// (kernels/split_ledger.hpp).
template <typename Shape>
struct SplitStage {
    static constexpr int kWarps = Shape::kWarps;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
    static constexpr int kMinBlocks = 1;  // there is no shared memory for a second one
#else
    static constexpr int kMinBlocks = Shape::kMinBlocks;
#endif
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kTiles = Shape::kTiles;
    static constexpr int kEarlyWarps = kWarps / 2;

    StageArgs args;
    FastExtent tiles;

    template <typename Warp>
    using State = SplitState<Shape, Warp>;

    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t item) const {
        std::int64_t point = item;
        const std::int64_t first = tiles.take(point) * Shape::kImages;
        block.phase([&](auto& warp, auto&) { clear(warp); });
        block.phase([&](auto& warp, auto&) { load(warp, point, first); });
        for (int weights = 0; weights < args.blocks(); ++weights) {
            block.phase([&](auto& warp, auto& state) {
                judge(warp, point, first, weights);
                fetch_weights(warp, state, weights);
            });
            block.phase([&](auto& warp, auto& state) {
                Ledger::take_weight(warp);
                compute(warp, state, point, first, weights);
            });
        }
        block.phase([&](auto& warp, auto&) {
            judge(warp, point, first, args.blocks());
            write(warp, point, first);
        });
    }

private:
    using Ledger = SplitLedger<Shape>;

    template <typename Warp>
    LOSSMAP_HD void judge(Warp& warp, std::int64_t point, std::int64_t first, int done) const {
        if (warp.index != 0) return;
        warp.each_lane([&](int lane) {
            if (lane < Shape::kImages) Ledger::judge(args, warp, point, first, lane, done);
        });
    }

    /// visit(k, lane) for each k below `count`, spread over the block.
    template <typename Warp, typename Visit>
    LOSSMAP_HD static void share_out(const Warp& warp, int count, const Visit& visit) {
        warp.each_lane([&](int lane) {
            for (int k = warp.index * 32 + lane; k < count; k += kThreads)
                visit(k, lane);
        });
    }

    template <typename Warp>
    LOSSMAP_HD static void clear(Warp& warp) {
        share_out(warp, Shape::kBorderPixels, [&](int k, int) {
            for (int plane = 0; plane < Shape::kHighBuffers * Shape::kGroups * Shape::kPlanes; ++plane)
                warp.clear_pack(plane * Shape::kPlaneBytes + Shape::border_offset(k));
        });
        share_out(warp, Shape::kWords, [&](int k, int) { warp.store(Shape::kWordOffset + 4 * k, 0); });
    }

    template <typename Warp>
    LOSSMAP_HD void load(Warp& warp, std::int64_t point, std::int64_t first) const {
        copy_weights(warp, point, 0);
        const bool adds_residual = (args.kinds[0] & kStageAddPrevious) != 0;
        for (int image = 0; image < Shape::kImages; ++image) {
            split_image(warp, args.in, args.in_channels, point, first, image, 0,
                        Shape::kThreeProducts || !adds_residual);
            // What is added shows in what it is added to.
            if (adds_residual)
                split_image(warp, args.residual, args.out_channels, point, first, image, Shape::kBufferStride, true);
        }
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void split_image(Warp& warp, const Input& from, int channels, std::int64_t point, std::int64_t first,
                                int image, int buffer, bool with_low) const {
        const std::int64_t start =
            point * from.point_stride + (first + image) * static_cast<std::int64_t>(Shape::kPixels) * channels;
        const bool real = first + image < args.samples;
        typename Warp::template Registers<std::uint32_t, 1> largest;
        warp.each_lane([&](int lane) { largest.at(lane, 0) = 0; });
        share_out(warp, packs(), [&](int k, int lane) {
            const int plane = k % Shape::kPlanes, pixel = k / Shape::kPlanes;
            float values[8] = {};
            if (real && plane * 8 < channels)
                load_packs<float>(from.data, start + static_cast<std::int64_t>(pixel) * channels + plane * 8, values);
            std::uint32_t high[4], low[4];
            LOSSMAP_UNROLL
            for (int pair = 0; pair < 4; ++pair) {
                const float a = values[2 * pair], b = values[2 * pair + 1];
                const SplitPair split = split_pair(a, b);
                high[pair] = split.high;
                low[pair] = split.low;
                largest.at(lane, 0) =
                    larger_bits(largest.at(lane, 0), larger_bits(magnitude_bits(a), magnitude_bits(b)));
            }
            const int place = Shape::pixel_offset(image, pixel) + plane * Shape::kPlaneBytes;
            warp.store_pack(buffer + place, high);
            if (with_low) warp.store_pack(Shape::low_of(buffer) + place, low);
        });
        if (buffer == 0) warp.raise(Shape::image_word(image), warp.largest(largest, 0));
    }

    /// Copies block `block` of weights and its biases, where there is one; the late warps do.
    template <typename Warp>
    LOSSMAP_HD void copy_weights(Warp& warp, std::int64_t point, int block) const {
        if (block >= args.blocks() || warp.index < kEarlyWarps) return;
        const Half* weights = static_cast<const Half*>(args.weights.data) + point * args.weights.point_stride +
                              static_cast<std::int64_t>(block) * Shape::kHalves * Shape::kWeights;
        const float* bias = bias_of(point, block);
        constexpr int kPacks = Shape::kSplitWeightBytes / 16, kBiasPacks = Shape::kChannels / 4;
        warp.each_lane([&](int lane) {
            const int thread = (warp.index - kEarlyWarps) * 32 + lane;
            for (int k = thread; k < kPacks; k += kThreads - 32 * kEarlyWarps)
                warp.copy_in(Shape::kWeightOffset + k * 16, weights + k * 8, true);
            if (thread < kBiasPacks) warp.copy_in(Shape::kBiasOffset + thread * 16, bias + thread * 4, true);
        });
    }

    [[nodiscard]] LOSSMAP_HD const float* bias_of(std::int64_t point, int block) const {
        return static_cast<const float*>(args.bias.data) + point * args.bias.point_stride + block * Shape::kChannels;
    }

    template <typename Warp>
    LOSSMAP_HD void fetch_weights(Warp& warp, State<Warp>& state, int block) const {
        const int filter = State<Warp>::first_filter(warp);
        typename State<Warp>::Offsets rows;
        // Matrices 0 and 1 are a tile's two registers, 2 and 3 those of the next tile, or of the low halves.
        warp.each_lane([&](int lane) {
            const int matrix = row_matrix(lane), next = matrix / 2;
            const int at =
                Shape::weight_index(0, filter + (kTiles == 2 ? next * 8 : 0) + row_in_matrix(lane), matrix % 2 * 8);
            rows.at(lane, 0) = Shape::kWeightOffset + 2 * at + (kTiles == 2 ? 0 : next * Shape::kWeightBytes);
        });
        LOSSMAP_UNROLL
        for (int tap = 0; tap < 9; ++tap) {
            LOSSMAP_UNROLL
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                LOSSMAP_UNROLL
                for (int part = 0; part < kTiles * Shape::kHalves / 2; ++part)
                    warp.load_matrices(state.weights, Shape::weight_register(tap, chunk, part, 0), rows,
                                       2 * Shape::weight_index(tap, 0, chunk * 16) + part * Shape::kWeightBytes);
            }
        }
        typename Warp::template Registers<std::uint32_t, 1> largest;
        warp.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int k = 0; k < 2 * kTiles; ++k)
                state.bias.at(lane, k) = std::bit_cast<float>(
                    warp.load(Shape::kBiasOffset + 4 * (filter + k / 2 * 8 + sum_place(lane, k % 2).column)));
            largest.at(lane, 0) = largest_weight(state, lane, block >= args.layers + args.exit_parts());
        });
        warp.raise(Shape::kFetchedWeight, warp.largest(largest, 0));
    }

    /// Bits, as f16, of a lane's largest weight. Of a 1x1 convolution only the middle tap has been written.
    template <typename Warp>
    LOSSMAP_HD static std::uint32_t largest_weight(const State<Warp>& state, int lane, bool middle_alone) {
        std::uint32_t middle = 0, others = 0;
        LOSSMAP_UNROLL
        for (int k = 0; k < 9 * Shape::kChunks * kTiles * 2; ++k) {
            const int product = k / (2 * kTiles), tap = product / Shape::kChunks;
            const int at = Shape::weight_register(tap, product % Shape::kChunks, 0, k / 2 % kTiles) + k % 2;
            std::uint32_t& largest = tap == 4 ? middle : others;
            largest = larger_magnitudes(largest, state.weights.at(lane, at));
        }
        const std::uint32_t largest = middle_alone ? middle : larger_halves(middle, others);
        return larger_bits(largest & 0xffffu, largest >> 16);
    }

    /// What a block of weights is for: a layer, or a part of the exit.
    template <typename Warp>
    LOSSMAP_HD void compute(Warp& warp, const State<Warp>& state, std::int64_t point, std::int64_t first,
                            int block) const {
        const auto begin = warp.now();
        copy_weights(warp, point, block + 1);
        if (warp.index >= kEarlyWarps) warp.wait_until(begin + Shape::kLag);
        if (block < args.layers) {
            for (int strip = warp.index / Shape::kFilterGroups; strip < Shape::kStrips; strip += Shape::kStripWarps)
                SplitWalk<Shape, Warp>(args, warp, state, Shape::strip(strip), block).run();
        } else if constexpr (Shape::kHasExit) {
            const int index = block - args.layers, parts = args.exit_parts();
            for (int unit = warp.index / Shape::kFilterGroups; unit < Shape::kExitUnits; unit += Shape::kStripWarps)
                SplitExitRow<Shape, Warp>(args, warp, state, index % parts, index / parts, unit).run(point, first);
        }
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void write(const Warp& warp, std::int64_t point, std::int64_t first) const {
        if (args.out.data == nullptr) return;
        const int buffer = args.layers % 2 * Shape::kBufferStride;
        for (int image = 0; image < Shape::kImages && first + image < args.samples; ++image) {
            float* target = static_cast<float*>(args.out.data) + point * args.out.point_stride +
                            (first + image) * Shape::kPixels * args.out_channels;
            share_out(warp, packs(), [&](int k, int) {
                const int plane = k % Shape::kPlanes, pixel = k / Shape::kPlanes;
                if (plane * 8 >= args.out_channels) return;
                const int place = Shape::pixel_offset(image, pixel) + plane * Shape::kPlaneBytes;
                std::uint32_t high[4], low[4];
                warp.load_pack(high, buffer + place);
                warp.load_pack(low, Shape::low_of(buffer) + place);
                float values[8];
                LOSSMAP_UNROLL
                for (int pair = 0; pair < 4; ++pair) {
                    values[2 * pair] = joined(first_half(high[pair]), first_half(low[pair]));
                    values[2 * pair + 1] = joined(second_half(high[pair]), second_half(low[pair]));
                }
                store_packs<float>(target, pixel * args.out_channels + plane * 8, values);
            });
        }
    }

    /// Times 8 channels of an image. No constant: the compiler would unroll such loops as a whole, and run out of
    /// registers.
    [[nodiscard]] LOSSMAP_HD int packs() const { return args.side * args.side * Shape::kPlanes; }
};

/// Calls visit(Shape{}) for each shape that kernels for fp32 exist for.
template <typename Visit>
void for_each_split_shape(const Visit& visit) {
    visit(Split16x32{});
    visit(Split32x16{});
    visit(Split64x8{});
}
/// .. and for tf32.
template <typename Visit>
void for_each_tf32_shape(const Visit& visit) {
    visit(Rounded16x32{});
    visit(Rounded32x16{});
    visit(Rounded64x8{});
}

/// stage_fit for split stages.
[[nodiscard]] inline StageFit split_fit(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes) {
    return best_fit([](const auto& visit) { for_each_split_shape(visit); }, channels, side, shared_bytes);
}
[[nodiscard]] inline StageFit tf32_fit(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes) {
    return best_fit([](const auto& visit) { for_each_tf32_shape(visit); }, channels, side, shared_bytes);
}

/// Whether two layers, one behind the other, cannot both be in a stage with one low buffer: the input of the first one
/// is not kept for the second one, since the first one's own result, or what it adds, is.
[[nodiscard]] constexpr bool skips_cross(std::uint8_t first, std::uint8_t second) {
    return (first & kStageAddPrevious) != 0 && (second & kStageAddPrevious) != 0;
}

inline void check_split_stage(const StageArgs& args) {
    check_stage(args, DType::f32);
    if (args.bias.point_stride % 4 != 0 || reinterpret_cast<std::uintptr_t>(args.bias.data) % 16 != 0)
        refuse("split_stage", "alignment of the bias", args.bias.point_stride);
}

template <typename Launch>
void launch_split_stage(const StageArgs& args, const Launch& launch) {
    check_split_stage(args);
    launch_shape<SplitStage>([](const auto& visit) { for_each_split_shape(visit); }, args,
                             [&](std::int64_t items, const auto& body) { launch.warps(items, body); });
}

/// Weights have one half; no layer adds both its input and the one in front of it, and no skips cross.
template <typename Launch>
void launch_tf32_stage(const StageArgs& args, const Launch& launch) {
    check_split_stage(args);
    for (int layer = 0; layer < args.layers; ++layer) {
        const std::uint8_t kind = args.kinds[layer];
        const bool both = (kind & kStageAddInput) != 0 && (kind & kStageAddPrevious) != 0;
        if (both || (layer > 0 && skips_cross(args.kinds[layer - 1], kind)))
            refuse("tf32_stage", "skips at layer", layer);
    }
    launch_shape<SplitStage>([](const auto& visit) { for_each_tf32_shape(visit); }, args,
                             [&](std::int64_t items, const auto& body) { launch.warps(items, body); });
}

}  // namespace lossmap::kernels
