#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/half_pair.hpp"
#include "kernels/matrix_fragments.hpp"
#include "kernels/operand.hpp"
#include "kernels/stage_shape.hpp"
#include "kernels/storage.hpp"

namespace lossmap::bench {

/// `layers` 3x3 convolutions with bias and ReLU, one after the other, on f32 [samples, side, side, channels], by
/// products of f16 halves (docs/decisions/0021-split-products.md).
struct SplitArgs {
    const float* in = nullptr;  ///< 8-byte aligned
    /// [layers, 9 taps, channels / 8, filters, 8]: what f16 keeps of the weights, and of what that leaves; 16-byte
    /// aligned.
    const kernels::Half* weights[2] = {};
    const float* bias = nullptr;  ///< [layers, filters]
    float* out = nullptr;
    std::int64_t samples = 0;
    int layers = 0;
};

/// The geometry of a stage kernel with a second plane of low halves behind each buffer, and 8 kTiles filters a warp.
template <int kChannelsIn, int kSideIn, int kImagesIn, int kBandsIn, int kWarpsIn, int kTilesIn>
struct SplitShape : kernels::StageShape<kChannelsIn, kSideIn, kImagesIn, kBandsIn, kChannelsIn / 16, 1> {
    using Base = kernels::StageShape<kChannelsIn, kSideIn, kImagesIn, kBandsIn, kChannelsIn / 16, 1>;
    static constexpr int kWarps = kWarpsIn;
    static constexpr int kTiles = kTilesIn;
    static constexpr int kLow = Base::kBufferBytes;  ///< from a high half to its low one
    static constexpr int kPairBytes = 2 * Base::kBufferBytes;
    static constexpr int kWeightOffset = 2 * kPairBytes;
    static constexpr int kSharedBytes = kWeightOffset + 2 * Base::kWeightBytes;
    static constexpr int kFilterGroups = kChannelsIn / (8 * kTiles);
    static constexpr int kStripWarps = kWarpsIn / kFilterGroups;
    static constexpr int kWeightRegisters = 9 * Base::kChunks * 4 * kTiles;

    static_assert(kWarpsIn % kFilterGroups == 0 && Base::kStrips % kStripWarps == 0 && kSideIn % 8 == 0);

    /// First of the two registers of a tap's product with 16 input channels; part 0: high halves, 1: low ones.
    LOSSMAP_HD static constexpr int weight_register(int tap, int chunk, int part, int tile) {
        return ((tap * Base::kChunks + chunk) * kTiles + (kTiles == 2 ? part : 0)) * 4 +
               2 * (kTiles == 2 ? tile : part);
    }
};

/// The stage kernel's inner loop for split operands: a prototype for its registers, its rate and its error. No
/// residuals, no flags.
template <typename Shape>
struct SplitLayers {
    static constexpr int kWarps = Shape::kWarps;
    static constexpr int kMinBlocks = 1;
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kTiles = Shape::kTiles;

    SplitArgs args;

    template <typename Warp>
    struct State {
        typename Warp::template Registers<std::uint32_t, Shape::kWeightRegisters> weights;
        typename Warp::template Registers<float, 2 * kTiles> bias;
    };

    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t tile) const {
        const std::int64_t first = tile * Shape::kImages;
        block.phase([&](auto& warp, auto&) { load(warp, first); });
        for (int layer = 0; layer < args.layers; ++layer) {
            block.phase([&](auto& warp, auto& state) { fetch_weights(warp, state, layer); });
            block.phase([&](auto& warp, auto& state) {
                copy_weights(warp, layer + 1);
                for (int strip = warp.index / Shape::kFilterGroups; strip < Shape::kStrips; strip += Shape::kStripWarps)
                    Walk<std::remove_reference_t<decltype(warp)>>(warp, state, Shape::strip(strip), layer).run();
                warp.wait_for_copies();
            });
        }
        block.phase([&](auto& warp, auto&) { write(warp, first); });
    }

private:
    template <typename Warp, typename Visit>
    LOSSMAP_HD static void share_out(const Warp& warp, int count, const Visit& visit) {
        warp.each_lane([&](int lane) {
            for (int k = warp.index * 32 + lane; k < count; k += kThreads)
                visit(k);
        });
    }

    /// visit(element of the images, byte in a buffer, whether the image exists) for each two channels.
    template <typename Warp, typename Visit>
    LOSSMAP_HD void each_pair(const Warp& warp, std::int64_t first, const Visit& visit) const {
        constexpr int kPairs = Shape::kChannels / 2;
        share_out(warp, Shape::kImages * Shape::kPixels * kPairs, [&](int k) {
            const int pair = k % kPairs, pixel = k / kPairs % Shape::kPixels, image = k / (kPairs * Shape::kPixels);
            visit(first * Shape::kPixels * Shape::kChannels + k * 2,
                  Shape::pixel_offset(image, pixel) + pair / 4 * Shape::kPlaneBytes + pair % 4 * 4,
                  first + image < args.samples);
        });
    }

    template <typename Warp>
    LOSSMAP_HD static void store_split(Warp& warp, int offset, float a, float b) {
        const std::uint32_t high = kernels::pack_halves(a, b);
        warp.store(offset, high);
        warp.store(offset + Shape::kLow,
                   kernels::pack_halves(a - kernels::first_half(high), b - kernels::second_half(high)));
    }

    template <typename Warp>
    LOSSMAP_HD void load(Warp& warp, std::int64_t first) const {
        share_out(warp, 4 * Shape::kGroups * Shape::kPlanes * Shape::kBorderPixels, [&](int k) {
            warp.clear_pack(k / Shape::kBorderPixels * Shape::kPlaneBytes +
                            Shape::border_offset(k % Shape::kBorderPixels));
        });
        each_pair(warp, first, [&](std::int64_t element, int offset, bool exists) {
            store_split(warp, offset, exists ? args.in[element] : 0.0F, exists ? args.in[element + 1] : 0.0F);
        });
        copy_weights(warp, 0);
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void copy_weights(Warp& warp, int layer) const {
        if (layer >= args.layers) return;
        LOSSMAP_UNROLL
        for (int part = 0; part < 2; ++part) {
            const kernels::Half* source = args.weights[part] + static_cast<std::int64_t>(layer) * Shape::kWeights;
            share_out(warp, Shape::kWeightBytes / 16, [&](int k) {
                warp.copy_in(Shape::kWeightOffset + part * Shape::kWeightBytes + k * 16, source + k * 8, true);
            });
        }
    }

    template <typename Warp>
    LOSSMAP_HD static int first_filter(const Warp& warp) {
        return warp.index % Shape::kFilterGroups * 8 * kTiles;
    }

    template <typename Warp>
    LOSSMAP_HD void fetch_weights(Warp& warp, State<Warp>& state, int layer) const {
        const int filter = first_filter(warp);
        typename Warp::template Registers<int, 1> rows;
        // Matrices 0 and 1 are a tile's two registers, 2 and 3 those of the next tile, or of the low halves.
        warp.each_lane([&](int lane) {
            const int matrix = kernels::row_matrix(lane), next = matrix / 2;
            const int at = Shape::weight_index(0, filter + (kTiles == 2 ? next * 8 : 0) + kernels::row_in_matrix(lane),
                                               matrix % 2 * 8);
            rows.at(lane, 0) = Shape::kWeightOffset + 2 * at + (kTiles == 2 ? 0 : next * Shape::kWeightBytes);
        });
        LOSSMAP_UNROLL
        for (int tap = 0; tap < 9; ++tap) {
            LOSSMAP_UNROLL
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                LOSSMAP_UNROLL
                for (int part = 0; part < kTiles; ++part)
                    warp.load_matrices(state.weights, Shape::weight_register(tap, chunk, part, 0), rows,
                                       2 * Shape::weight_index(tap, 0, chunk * 16) + part * Shape::kWeightBytes);
            }
        }
        warp.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int k = 0; k < 2 * kTiles; ++k)
                state.bias.at(lane, k) =
                    args.bias[layer * Shape::kChannels + filter + k / 2 * 8 + kernels::sum_place(lane, k % 2).column];
        });
    }

    template <typename Warp>
    LOSSMAP_HD void write(const Warp& warp, std::int64_t first) const {
        const int buffer = args.layers % 2 * Shape::kPairBytes;
        each_pair(warp, first, [&](std::int64_t element, int offset, bool exists) {
            if (!exists) return;
            const std::uint32_t high = warp.load(buffer + offset), low = warp.load(buffer + offset + Shape::kLow);
            args.out[element] = kernels::first_half(high) + kernels::first_half(low);
            args.out[element + 1] = kernels::second_half(high) + kernels::second_half(low);
        });
    }

    /// One layer along one strip; as kernels/stage_layer.hpp.
    template <typename Warp>
    class Walk {
        /// Products of high halves, and those with a low one.
        struct Sums {
            typename Warp::template Registers<float, 4 * kTiles> high, low;
        };

    public:
        LOSSMAP_HD Walk(Warp& warp, const State<Warp>& state, const typename Shape::Strip& strip, int layer)
            : warp_(warp),
              state_(state),
              strip_(strip),
              source_(layer % 2 * Shape::kPairBytes),
              target_(Shape::kPairBytes - source_) {
            const int group = strip.group * Shape::kGroupBytes;
            warp.each_lane([&](int lane) {
                const int matrix = kernels::row_matrix(lane);
                const int pixel = Shape::segment_pixel(2 * strip.column + matrix % 2) + kernels::row_in_matrix(lane);
                rows_.at(lane, 0) = source_ + group + matrix / 2 * Shape::kPlaneBytes + pixel * 16;
                places_.at(lane, 0) =
                    target_ + group + first_filter(warp) / 8 * Shape::kPlaneBytes +
                    (1 + Shape::segment_pixel(2 * strip.column) + kernels::sum_place(lane, 0).row) * 16 +
                    kernels::sum_place(lane, 0).column * 2;
            });
        }

        LOSSMAP_HD void run() {
            Sums above, here, below;
            begin(above);
            begin(here);
            begin(below);
            int row = strip_.first_row > 0 ? strip_.first_row - 1 : 0;
            const int end = strip_.first_row + Shape::kBandRows;
            const int last = end < Shape::kSide ? end : Shape::kSide - 1;
            for (;;) {
                pass(row, above, here, below);
                if (row++ == last) return finish_last(last, here);
                pass(row, here, below, above);
                if (row++ == last) return finish_last(last, below);
                pass(row, below, above, here);
                if (row++ == last) return finish_last(last, above);
            }
        }

    private:
        LOSSMAP_HD void begin(Sums& sums) const {
            warp_.each_lane([&](int lane) {
                LOSSMAP_UNROLL
                for (int k = 0; k < 4 * kTiles; ++k) {
                    sums.high.at(lane, k) = state_.bias.at(lane, k / 4 * 2 + k % 2);
                    sums.low.at(lane, k) = 0.0F;
                }
            });
        }

        LOSSMAP_HD void pass(int row, Sums& above, Sums& here, Sums& below) {
            LOSSMAP_UNROLL
            for (int x = 0; x < 3; ++x) {
                LOSSMAP_UNROLL
                for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                    const int offset = row * Shape::kRowBytes + x * 16 + chunk * 2 * Shape::kPlaneBytes;
                    typename Warp::template Registers<std::uint32_t, 4> high, low;
                    warp_.load_matrices(high, 0, rows_, offset);
                    warp_.load_matrices(low, 0, rows_, offset + Shape::kLow);
                    LOSSMAP_UNROLL
                    for (int tile = 0; tile < kTiles; ++tile) {
                        add(below, high, low, x, chunk, tile);
                        add(here, high, low, 3 + x, chunk, tile);
                        add(above, high, low, 6 + x, chunk, tile);
                    }
                }
            }
            if (row > strip_.first_row) finish(row - 1, above);
            begin(above);
        }

        template <typename Pixels>
        LOSSMAP_HD void add(Sums& sums, const Pixels& high, const Pixels& low, int tap, int chunk, int tile) {
            warp_.multiply(sums.high, 4 * tile, high, state_.weights, Shape::weight_register(tap, chunk, 0, tile));
            warp_.multiply(sums.low, 4 * tile, high, state_.weights, Shape::weight_register(tap, chunk, 1, tile));
            warp_.multiply(sums.low, 4 * tile, low, state_.weights, Shape::weight_register(tap, chunk, 0, tile));
        }

        LOSSMAP_HD void finish_last(int last, const Sums& sums) {
            if (last < strip_.first_row + Shape::kBandRows) finish(last, sums);
        }

        LOSSMAP_HD void finish(int row, const Sums& sums) {
            warp_.each_lane([&](int lane) {
                LOSSMAP_UNROLL
                for (int part = 0; part < 2 * kTiles; ++part) {
                    const int k = 4 * (part / 2) + 2 * (part % 2);
                    float values[2];
                    LOSSMAP_UNROLL
                    for (int e = 0; e < 2; ++e) {
                        const float value = sums.high.at(lane, k + e) + sums.low.at(lane, k + e);
                        values[e] = value < 0.0F ? 0.0F : value;  // NaN stays
                    }
                    store_split(warp_,
                                places_.at(lane, 0) + row * Shape::kRowBytes + part / 2 * Shape::kPlaneBytes +
                                    part % 2 * Shape::segment_pixel(1) * 16,
                                values[0], values[1]);
                }
            });
        }

        Warp& warp_;
        const State<Warp>& state_;
        typename Shape::Strip strip_;
        int source_;
        int target_;
        typename Warp::template Registers<int, 1> rows_;
        typename Warp::template Registers<int, 1> places_;
    };
};

/// The stages of a ResNet for CIFAR-10.
template <typename Visit>
void for_each_split_shape(const Visit& visit) {
    visit(SplitShape<16, 32, 1, 4, 8, 2>{});
    visit(SplitShape<32, 16, 2, 2, 8, 1>{});
    visit(SplitShape<64, 8, 2, 1, 8, 1>{});
}

}  // namespace lossmap::bench
