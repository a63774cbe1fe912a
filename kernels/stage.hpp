#pragma once

#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/matrix_fragments.hpp"
#include "kernels/operand.hpp"
#include "kernels/stage_shape.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Layers that one launch runs at most.
inline constexpr int kMaxStageLayers = 64;

/// What a layer does behind its convolution; bits.
enum StageLayer : std::uint8_t {
    kStageRelu = 1,
    kStageAddInput = 2,     ///< adds the layer's own input
    kStageAddPrevious = 4,  ///< adds the input of the layer in front of it; of the first layer: `residual`
};

/// A chain of 3x3 convolutions with stride 1, zero padding and equal channels on square planes, with bias, residual
/// additions and ReLU: out = layer_n(.. layer_1(in)), f16 between layers, f32 sums. Activations stay in shared memory.
struct StageArgs {
    Input in;        ///< f16 [samples, side, side, channels]; 16-byte aligned, as all the others
    Input residual;  ///< like `in`: what stands for the input of a layer in front of the first one; null data: none
    Input weights;   ///< f16 [layers, 9 taps, channels / 8, filters, 8 channels]
    Input bias;      ///< f32 [layers, filters]
    Output out;      ///< like `in`
    std::int64_t points = 1;
    std::int64_t samples = 1;
    int channels = 0;
    int side = 0;
    int tile_images = 0;  ///< that a block works on at a time: one of the shapes of kernels/stage_shape.hpp
    int layers = 0;
    std::uint8_t kinds[kMaxStageLayers] = {};  ///< StageLayer bits
    OverflowFlags overflow;                    ///< watches what is stored behind every layer, before its ReLU
};

/// One block takes one tile of images at one point through all layers. `Block` is HostBlock or, on the device, a block
/// whose warps pass a barrier behind each phase; `Warp` is HostWarp or DeviceWarp.
///
/// A warp computes 16 output channels. It keeps their weights in registers through a layer (the shared copy is
/// overwritten by the next layer's meanwhile) and walks down a strip 16 pixels wide: an input row, loaded once for each
/// horizontal tap, adds to the output rows above, at and below it, whose sums are three sets of registers.
template <typename Shape>
struct Stage {
    static constexpr int kWarps = Shape::kWarps;
    static constexpr int kMinBlocks = Shape::kMinBlocks;
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kThreads = 32 * kWarps;
    static constexpr int kSums = 8;  ///< of a lane for 16 pixels and 16 channels: two tiles of four

    StageArgs args;
    FastExtent tiles;

    template <typename Warp>
    struct State {
        typename Warp::template Registers<std::uint32_t, Shape::kWeightRegisters> weights;
        typename Warp::template Registers<float, 4> bias;  ///< of channels 2 t, 2 t + 1 of both tiles
    };

    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t item) const {
        std::int64_t point = item;
        const std::int64_t first = tiles.take(point) * Shape::kImages;
        block.phase([&](auto& warp, auto&) { load(warp, point, first); });
        for (int layer = 0; layer < args.layers; ++layer) {
            block.phase([&](auto& warp, auto& state) { fetch_weights(warp, state, point, layer); });
            block.phase([&](auto& warp, auto& state) { convolve(warp, state, point, first, layer); });
        }
        block.phase([&](auto& warp, auto&) { write(warp, point, first); });
    }

private:
    template <typename Warp>
    using Sums = typename Warp::template Registers<float, kSums>;
    template <typename Warp>
    using Pairs = typename Warp::template Registers<std::uint32_t, 4>;
    template <typename Warp>
    using Rows = typename Warp::template Registers<int, 1>;

    /// visit(k) for each k below `count`, spread over the block.
    template <typename Warp, typename Visit>
    LOSSMAP_HD static void share_out(const Warp& warp, int count, const Visit& visit) {
        warp.each_lane([&](int lane) {
            for (int k = warp.index * 32 + lane; k < count; k += kThreads)
                visit(k);
        });
    }

    /// visit(element in a point's images, byte in a buffer, whether the image exists) for each 16 bytes of a tile.
    template <typename Warp, typename Visit>
    LOSSMAP_HD void each_pack(const Warp& warp, std::int64_t first, const Visit& visit) const {
        share_out(warp, Shape::kImages * Shape::kPixels * Shape::kPlanes, [&](int k) {
            const int plane = k % Shape::kPlanes, pixel = k / Shape::kPlanes % Shape::kPixels;
            const int image = k / (Shape::kPlanes * Shape::kPixels);
            visit(first * Shape::kPixels * Shape::kChannels + k * 8,
                  Shape::pixel_offset(image, pixel) + plane * Shape::kPlaneBytes, first + image < args.samples);
        });
    }

    template <typename Warp>
    LOSSMAP_HD void load(Warp& warp, std::int64_t point, std::int64_t first) const {
        share_out(warp, 2 * Shape::kGroups * Shape::kPlanes * Shape::kBorderPixels, [&](int k) {
            const int plane = k / Shape::kBorderPixels;
            warp.clear_pack(plane * Shape::kPlaneBytes + Shape::border_offset(k % Shape::kBorderPixels));
        });
        copy_images(warp, args.in, point, first, 0);
        if (args.residual.data != nullptr) copy_images(warp, args.residual, point, first, Shape::kBufferBytes);
        copy_weights(warp, point, 0);
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void copy_images(Warp& warp, const Input& from, std::int64_t point, std::int64_t first,
                                int buffer) const {
        const Half* source = static_cast<const Half*>(from.data) + point * from.point_stride;
        each_pack(warp, first, [&](std::int64_t element, int offset, bool exists) {
            warp.copy_in(buffer + offset, source + (exists ? element : 0), exists);
        });
    }

    template <typename Warp>
    LOSSMAP_HD void copy_weights(Warp& warp, std::int64_t point, int layer) const {
        const Half* source = static_cast<const Half*>(args.weights.data) + point * args.weights.point_stride +
                             static_cast<std::int64_t>(layer) * Shape::kWeights;
        share_out(warp, Shape::kWeightBytes / 16,
                  [&](int k) { warp.copy_in(Shape::kWeightOffset + k * 16, source + k * 8, true); });
    }

    /// First output channel of a warp.
    template <typename Warp>
    LOSSMAP_HD static int first_channel(const Warp& warp) {
        return warp.index % Shape::kChannelGroups * 16;
    }

    template <typename Warp>
    LOSSMAP_HD void fetch_weights(Warp& warp, State<Warp>& state, std::int64_t point, int layer) const {
        const int filter = first_channel(warp);
        Rows<Warp> rows;
        // Matrices 0 and 1 are a tile's two registers, 2 and 3 those of the next 8 filters.
        warp.each_lane([&](int lane) {
            const int matrix = row_matrix(lane);
            const int at = Shape::weight_index(0, filter + matrix / 2 * 8 + row_in_matrix(lane), matrix % 2 * 8);
            rows.at(lane, 0) = Shape::kWeightOffset + 2 * at;
        });
        LOSSMAP_UNROLL
        for (int tap = 0; tap < 9; ++tap) {
            LOSSMAP_UNROLL
            for (int chunk = 0; chunk < Shape::kChunks; ++chunk)
                warp.load_matrices(state.weights, Shape::weight_register(tap, chunk), rows,
                                   2 * Shape::weight_index(tap, 0, chunk * 16));
        }
        const float* bias = static_cast<const float*>(args.bias.data) + point * args.bias.point_stride +
                            layer * Shape::kChannels + filter;
        warp.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int k = 0; k < 4; ++k)
                state.bias.at(lane, k) = bias[k / 2 * 8 + sum_place(lane, k % 2).column];
        });
    }

    template <typename Warp>
    LOSSMAP_HD void convolve(Warp& warp, const State<Warp>& state, std::int64_t point, std::int64_t first,
                             int layer) const {
        if (layer + 1 < args.layers) copy_weights(warp, point, layer + 1);
        for (int k = 0; k < Shape::kStripsPerWarp; ++k) {
            const int strip = warp.index / Shape::kChannelGroups + k * Shape::kStripWarps;
            Walk<Warp>(*this, warp, state, Shape::strip(strip), layer).run(point, first);
        }
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void write(const Warp& warp, std::int64_t point, std::int64_t first) const {
        Half* target = static_cast<Half*>(args.out.data) + point * args.out.point_stride;
        const int buffer = args.layers % 2 * Shape::kBufferBytes;
        each_pack(warp, first, [&](std::int64_t element, int offset, bool exists) {
            if (exists) warp.copy_out(target + element, buffer + offset);
        });
    }

    /// One layer along one strip.
    template <typename Warp>
    struct Walk {
        const Stage& stage;
        Warp& warp;
        const State<Warp>& state;
        typename Shape::Strip strip;
        int kind;
        int source;                                                   ///< byte of the buffer that is read
        int target;                                                   ///< .. that is written
        Rows<Warp> rows;                                              ///< of input row 0, left tap
        Rows<Warp> places;                                            ///< of output row 0 in the written buffer
        typename Warp::template Registers<std::uint32_t, 2> largest;  ///< magnitudes stored, by half of the strip

        LOSSMAP_HD Walk(const Stage& stage_in, Warp& warp_in, const State<Warp>& state_in,
                        const typename Shape::Strip& strip_in, int layer)
            : stage(stage_in),
              warp(warp_in),
              state(state_in),
              strip(strip_in),
              kind(stage_in.args.kinds[layer]),
              source(layer % 2 * Shape::kBufferBytes),
              target(Shape::kBufferBytes - source) {
            const int group = strip.group * Shape::kGroupBytes;
            warp.each_lane([&](int lane) {
                const int matrix = row_matrix(lane);
                const int pixel = Shape::segment_pixel(2 * strip.column + matrix % 2) + row_in_matrix(lane);
                rows.at(lane, 0) = source + group + matrix / 2 * Shape::kPlaneBytes + pixel * 16;
                places.at(lane, 0) = group + first_channel(warp) / 8 * Shape::kPlaneBytes +
                                     (1 + Shape::segment_pixel(2 * strip.column) + sum_place(lane, 0).row) * 16 +
                                     sum_place(lane, 0).column * 2;
                largest.at(lane, 0) = largest.at(lane, 1) = 0;
            });
        }

        LOSSMAP_HD void run(std::int64_t point, std::int64_t first) {
            Sums<Warp> above, here, below;
            begin(above);
            begin(here);
            begin(below);
            int row = strip.first_row > 0 ? strip.first_row - 1 : 0;
            const int last = strip.first_row + Shape::kBandRows < Shape::kSide ? strip.first_row + Shape::kBandRows
                                                                               : Shape::kSide - 1;
            // The three sets of sums change places from row to row; unrolled, that is a matter of names.
            for (;;) {
                pass(row, above, here, below);
                if (row++ == last) return end(last, here, point, first);
                pass(row, here, below, above);
                if (row++ == last) return end(last, below, point, first);
                pass(row, below, above, here);
                if (row++ == last) return end(last, above, point, first);
            }
        }

        LOSSMAP_HD void begin(Sums<Warp>& sums) const {
            warp.each_lane([&](int lane) {
                LOSSMAP_UNROLL
                for (int k = 0; k < kSums; ++k)
                    sums.at(lane, k) = state.bias.at(lane, k / 4 * 2 + k % 2);
            });
        }

        /// Adds input row `row` to three output rows; the upper one is complete then.
        LOSSMAP_HD void pass(int row, Sums<Warp>& above, Sums<Warp>& here, Sums<Warp>& below) {
            // Long before it is added: nothing waits for it.
            const Pairs<Warp> residual = residual_of(row > strip.first_row ? row - 1 : row);
            LOSSMAP_UNROLL
            for (int x = 0; x < 3; ++x) {
                LOSSMAP_UNROLL
                for (int chunk = 0; chunk < Shape::kChunks; ++chunk) {
                    typename Warp::template Registers<std::uint32_t, 4> pixels;
                    warp.load_matrices(pixels, 0, rows,
                                       row * Shape::kRowBytes + x * 16 + chunk * 2 * Shape::kPlaneBytes);
                    LOSSMAP_UNROLL
                    for (int tile = 0; tile < 2; ++tile) {
                        warp.multiply(below, 4 * tile, pixels, state.weights,
                                      Shape::weight_register(x, chunk) + 2 * tile);
                        warp.multiply(here, 4 * tile, pixels, state.weights,
                                      Shape::weight_register(3 + x, chunk) + 2 * tile);
                        warp.multiply(above, 4 * tile, pixels, state.weights,
                                      Shape::weight_register(6 + x, chunk) + 2 * tile);
                    }
                }
            }
            if (row > strip.first_row) finish(row - 1, above, residual);
            begin(above);
        }

        /// Behind the last input row: the image's last output row has nothing below it.
        LOSSMAP_HD void end(int last, const Sums<Warp>& sums, std::int64_t point, std::int64_t first) {
            if (last < strip.first_row + Shape::kBandRows) finish(last, sums, residual_of(last));
            warp.each_lane([&](int lane) {
                LOSSMAP_UNROLL
                for (int half = 0; half < 2; ++half) {
                    const int image = Shape::segment_image(2 * strip.column + half);
                    if (has_non_finite(largest.at(lane, half)))
                        stage.flag(point, first + strip.group * Shape::kRowImages + image);
                }
            });
        }

        /// Byte of a lane's two channels in a buffer: of part 2 t + h of an output row, tile t of channels, half h of
        /// the column.
        LOSSMAP_HD int place_of(int lane, int row, int part) const {
            // A column is 16 pixels of one image, or 8 of each of two.
            return places.at(lane, 0) + row * Shape::kRowBytes + part / 2 * Shape::kPlaneBytes +
                   part % 2 * Shape::segment_pixel(1) * 16;
        }

        /// What is added to an output row; zeros where that is nothing.
        LOSSMAP_HD Pairs<Warp> residual_of(int row) const {
            const bool adds = (kind & (kStageAddInput | kStageAddPrevious)) != 0;
            const int buffer = (kind & kStageAddInput) != 0 ? source : target;
            Pairs<Warp> pairs;
            warp.each_lane([&](int lane) {
                LOSSMAP_UNROLL
                for (int part = 0; part < 4; ++part)
                    pairs.at(lane, part) = adds ? warp.load(buffer + place_of(lane, row, part)) : 0u;
            });
            return pairs;
        }

        /// Residual, overflow, ReLU and the rounding of one output row.
        LOSSMAP_HD void finish(int row, const Sums<Warp>& sums, const Pairs<Warp>& residual) {
            const std::uint32_t floor = (kind & kStageRelu) != 0 ? 0u : 0xfc00fc00u;  // -inf: nothing changes
            warp.each_lane([&](int lane) {
                LOSSMAP_UNROLL
                for (int part = 0; part < 4; ++part) {
                    const int first = 4 * (part / 2) + 2 * (part % 2);
                    const std::uint32_t other = residual.at(lane, part);
                    const std::uint32_t rounded = pack_halves(sums.at(lane, first) + first_half(other),
                                                              sums.at(lane, first + 1) + second_half(other));
                    largest.at(lane, part % 2) = larger_magnitudes(largest.at(lane, part % 2), rounded);
                    warp.store(target + place_of(lane, row, part), larger_halves(rounded, floor));
                }
            });
        }
    };

    LOSSMAP_HD void flag(std::int64_t point, std::int64_t sample) const {
        if (args.overflow.data == nullptr || sample >= args.samples) return;
        std::uint32_t* word = args.overflow.data + point * (args.overflow.samples + 1) + sample;
        if (*word == 0) set_bits(word, 1);
    }
};

/// Calls visit(Shape{}) for each shape that kernels exist for.
template <typename Visit>
void for_each_stage_shape(const Visit& visit) {
    visit(Stage16x32{});
    visit(Stage32x16{});
    visit(Stage64x8{});
    visit(Stage64x8Small{});
}

/// Images that a block takes at a time where it has `shared_bytes` of shared memory; 0: no kernel for these channels
/// and planes, or too little memory for any.
[[nodiscard]] inline int stage_tile_images(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes) {
    int images = 0;
    for_each_stage_shape([&](auto shape) {
        using Shape = decltype(shape);
        if (Shape::kChannels != channels || Shape::kSide != side || Shape::kSharedBytes > shared_bytes) return;
        images = Shape::kImages > images ? Shape::kImages : images;
    });
    return images;
}

inline bool is_stage_operand(const void* data, DType type, std::int64_t point_stride) {
    return type == DType::f16 && point_stride % 8 == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}

template <typename Launch>
void launch_stage(const StageArgs& args, const Launch& launch) {
    if (args.layers < 1 || args.layers > kMaxStageLayers) refuse("stage", "layers", args.layers);
    for (const Input& operand : {args.in, args.residual, args.weights}) {
        if (operand.data != nullptr && !is_stage_operand(operand.data, operand.type, operand.point_stride))
            refuse("stage", "element type or alignment", static_cast<int>(operand.type));
    }
    if (!is_stage_operand(args.out.data, args.out.type, args.out.point_stride) || args.bias.type != DType::f32)
        refuse("stage", "element type or alignment", static_cast<int>(args.out.type));
    if ((args.kinds[0] & kStageAddPrevious) != 0 && args.residual.data == nullptr)
        refuse("stage", "layer without its residual", 0);
    bool found = false;
    for_each_stage_shape([&](auto shape) {
        using Shape = decltype(shape);
        if (Shape::kChannels != args.channels || Shape::kSide != args.side || Shape::kImages != args.tile_images)
            return;
        found = true;
        const std::int64_t tiles = (args.samples + Shape::kImages - 1) / Shape::kImages;
        const std::int64_t items = args.points * tiles;
        launch.warps(items, Stage<Shape>{args, FastExtent(tiles, is_narrow(items))});
    });
    if (!found) refuse("stage", "shape", args.channels);
}

}  // namespace lossmap::kernels
