#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/stage_exit.hpp"
#include "kernels/stage_layer.hpp"
#include "kernels/stage_shape.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// One block takes one tile of images at one point through all layers. `Block` is HostBlock or, on the device, a block
/// whose warps pass a barrier behind each phase; `Warp` is HostWarp or DeviceWarp.
///
/// A warp computes 16 output channels. It keeps their weights in registers through a layer (the shared copy is
/// overwritten by the next layer's meanwhile) and walks down strips 16 pixels wide (kernels/stage_layer.hpp).
template <typename Shape>
struct Stage {
    static constexpr int kWarps = Shape::kWarps;
    static constexpr int kMinBlocks = Shape::kMinBlocks;
    static constexpr int kSharedBytes = Shape::kSharedBytes;
    static constexpr int kThreads = 32 * kWarps;

    StageArgs args;
    FastExtent tiles;

    template <typename Warp>
    using State = StageState<Shape, Warp>;

    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t item) const {
        std::int64_t point = item;
        const std::int64_t first = tiles.take(point) * Shape::kImages;
        block.phase([&](auto& warp, auto&) { load(warp, point, first); });
        for (int weights = 0; weights < args.blocks(); ++weights) {
            block.phase([&](auto& warp, auto& state) { fetch_weights(warp, state, point, weights); });
            block.phase([&](auto& warp, auto& state) { compute(warp, state, point, first, weights); });
        }
        block.phase([&](auto& warp, auto&) { write(warp, point, first); });
    }

private:
    /// visit(k) for each k below `count`, spread over the block.
    template <typename Warp, typename Visit>
    LOSSMAP_HD static void share_out(const Warp& warp, int count, const Visit& visit) {
        warp.each_lane([&](int lane) {
            for (int k = warp.index * 32 + lane; k < count; k += kThreads)
                visit(k);
        });
    }

    /// visit(element in a point's images, byte in a buffer, whether there is such an element) for each 16 bytes of a
    /// tile.
    /// @param channels  of a pixel in global memory
    template <typename Warp, typename Visit>
    LOSSMAP_HD void each_pack(const Warp& warp, std::int64_t first, int channels, const Visit& visit) const {
        share_out(warp, Shape::kImages * Shape::kPixels * Shape::kPlanes, [&](int k) {
            const int plane = k % Shape::kPlanes, pixel = k / Shape::kPlanes % Shape::kPixels;
            const int image = k / (Shape::kPlanes * Shape::kPixels);
            visit((first * Shape::kPixels + k / Shape::kPlanes) * channels + plane * 8,
                  Shape::pixel_offset(image, pixel) + plane * Shape::kPlaneBytes,
                  first + image < args.samples && plane * 8 < channels);
        });
    }

    template <typename Warp>
    LOSSMAP_HD void load(Warp& warp, std::int64_t point, std::int64_t first) const {
        share_out(warp, 2 * Shape::kGroups * Shape::kPlanes * Shape::kBorderPixels, [&](int k) {
            const int plane = k / Shape::kBorderPixels;
            warp.clear_pack(plane * Shape::kPlaneBytes + Shape::border_offset(k % Shape::kBorderPixels));
        });
        copy_images(warp, args.in, args.in_channels, point, first, 0);
        if (args.residual.data != nullptr)
            copy_images(warp, args.residual, args.out_channels, point, first, Shape::kBufferBytes);
        copy_weights(warp, point, 0);
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void copy_images(Warp& warp, const Input& from, int channels, std::int64_t point, std::int64_t first,
                                int buffer) const {
        const Half* source = static_cast<const Half*>(from.data) + point * from.point_stride;
        each_pack(warp, first, channels, [&](std::int64_t element, int offset, bool exists) {
            warp.copy_in(buffer + offset, source + (exists ? element : 0), exists);
        });
    }

    /// Copies block `block` of weights, where there is one.
    template <typename Warp>
    LOSSMAP_HD void copy_weights(Warp& warp, std::int64_t point, int block) const {
        if (block >= args.blocks()) return;
        const Half* source = static_cast<const Half*>(args.weights.data) + point * args.weights.point_stride +
                             static_cast<std::int64_t>(block) * Shape::kWeights;
        share_out(warp, Shape::kWeightBytes / 16,
                  [&](int k) { warp.copy_in(Shape::kWeightOffset + k * 16, source + k * 8, true); });
    }

    template <typename Warp>
    LOSSMAP_HD void fetch_weights(Warp& warp, State<Warp>& state, std::int64_t point, int block) const {
        const int filter = State<Warp>::first_channel(warp);
        typename State<Warp>::Offsets rows;
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
                            block * Shape::kChannels + filter;
        warp.each_lane([&](int lane) {
            LOSSMAP_UNROLL
            for (int k = 0; k < 4; ++k)
                state.bias.at(lane, k) = bias[k / 2 * 8 + sum_place(lane, k % 2).column];
        });
    }

    /// What a block of weights is for: a layer, or a part of the exit.
    template <typename Warp>
    LOSSMAP_HD void compute(Warp& warp, const State<Warp>& state, std::int64_t point, std::int64_t first,
                            int block) const {
        copy_weights(warp, point, block + 1);
        if (block < args.layers)
            convolve(warp, state, point, first, block);
        else if constexpr (Shape::kHasExit)
            leave(warp, state, point, first, block - args.layers);
        warp.wait_for_copies();
    }

    template <typename Warp>
    LOSSMAP_HD void convolve(Warp& warp, const State<Warp>& state, std::int64_t point, std::int64_t first,
                             int layer) const {
        for (int k = 0; k < Shape::kStripsPerWarp; ++k) {
            const int strip = warp.index / Shape::kChannelGroups + k * Shape::kStripWarps;
            StageWalk<Shape, Warp>(args, warp, state, Shape::strip(strip), layer).run(point, first);
        }
    }

    template <typename Warp>
    LOSSMAP_HD void leave(Warp& warp, const State<Warp>& state, std::int64_t point, std::int64_t first,
                          int index) const {
        const int parts = args.exit_parts();
        for (int unit = warp.index / Shape::kChannelGroups; unit < Shape::kExitUnits; unit += Shape::kStripWarps)
            StageExitRow<Shape, Warp>(args, warp, state, index % parts, index / parts, unit).run(point, first);
    }

    template <typename Warp>
    LOSSMAP_HD void write(const Warp& warp, std::int64_t point, std::int64_t first) const {
        const int buffer = args.layers % 2 * Shape::kBufferBytes;
        if constexpr (Shape::kHasExit) {
            if (args.exit.data != nullptr) {
                write_exit(warp, args.exit, 0, Shape::kBufferBytes - buffer, point, first);
                write_exit(warp, args.shortcut, 1, Shape::kBufferBytes - buffer, point, first);
            }
        }
        if (args.out.data == nullptr) return;
        Half* target = static_cast<Half*>(args.out.data) + point * args.out.point_stride;
        each_pack(warp, first, args.out_channels, [&](std::int64_t element, int offset, bool exists) {
            if (exists) warp.copy_out(target + element, buffer + offset);
        });
    }

    template <typename Warp>
    LOSSMAP_HD void write_exit(const Warp& warp, const Output& out, int tensor, int buffer, std::int64_t point,
                               std::int64_t first) const {
        if (out.data == nullptr) return;
        Half* target = static_cast<Half*>(out.data) + point * out.point_stride;
        constexpr int kPlanes = 2 * Shape::kPlanes;
        share_out(warp, Shape::kImages * Shape::kExitPixels * kPlanes, [&](int k) {
            const int plane = k % kPlanes, pixel = k / kPlanes % Shape::kExitPixels;
            const int image = k / (kPlanes * Shape::kExitPixels);
            if (first + image >= args.samples || plane * 8 >= args.exit_channels) return;
            warp.copy_out(target + (first * Shape::kExitPixels + k / kPlanes) * args.exit_channels + plane * 8,
                          buffer + Shape::exit_offset(tensor, plane, image, pixel));
        });
    }
};

/// Calls visit(Shape{}) for each shape that kernels exist for.
template <typename Visit>
void for_each_stage_shape(const Visit& visit) {
    visit(Stage16x32{});
    visit(Stage32x16{});
    visit(Stage64x8{});
    visit(Stage64x8Small{});
    visit(Stage16x28{});
    visit(Stage32x14{});
    visit(Stage64x7{});
    visit(Stage16x14{});
    visit(Stage16x7{});
}

/// A shape that holds planes of some channels: those that it computes, and the images that a block takes at a time. All
/// 0: there is none.
struct StageFit {
    int channels = 0;
    int tile_images = 0;
    bool has_exit = false;
};

/// The shape for `channels` channels of side x side pixels where a block has `shared_bytes` of shared memory: with the
/// fewest channels that are enough (not as many as twice that, unless they are 16), then with the most images.
/// @param for_each_shape  calls what it is given with each shape
template <typename ForEachShape>
[[nodiscard]] StageFit best_fit(const ForEachShape& for_each_shape, std::int64_t channels, std::int64_t side,
                                std::int64_t shared_bytes) {
    StageFit best;
    for_each_shape([&](auto shape) {
        using Shape = decltype(shape);
        if (Shape::kSide != side || Shape::kSharedBytes > shared_bytes || Shape::kChannels < channels) return;
        if (Shape::kChannels > 16 && Shape::kChannels >= 2 * channels) return;
        if (best.channels != 0 && best.channels < Shape::kChannels) return;
        if (best.channels == Shape::kChannels && best.tile_images > Shape::kImages) return;
        best = {Shape::kChannels, Shape::kImages, Shape::kHasExit};
    });
    return best;
}

[[nodiscard]] inline StageFit stage_fit(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes) {
    return best_fit([](const auto& visit) { for_each_stage_shape(visit); }, channels, side, shared_bytes);
}

/// Refuses arguments that no kernel takes.
/// @param pixels  element type of activations
inline void check_stage(const StageArgs& args, DType pixels) {
    const auto require = [](bool holds, const char* what, long long value) {
        if (!holds) refuse("stage", what, value);
    };
    const auto require_packs = [&](const auto& operand, DType type) {
        if (operand.data == nullptr) return;
        require(operand.type == type && operand.point_stride % 8 == 0 &&
                    reinterpret_cast<std::uintptr_t>(operand.data) % 16 == 0,
                "element type or alignment", static_cast<int>(operand.type));
    };
    const auto require_channels = [&](int channels, int most) {
        require(channels > 0 && channels <= most && channels % 8 == 0, "channels of a pixel", channels);
    };
    require(args.layers >= 1 && args.layers <= kMaxStageLayers, "layers", args.layers);
    for (const Input& operand : {args.in, args.residual})
        require_packs(operand, pixels);
    for (const Output& result : {args.out, args.exit, args.shortcut})
        require_packs(result, pixels);
    require_packs(args.weights, DType::f16);
    require(args.bias.type == DType::f32, "element type of the bias", static_cast<int>(args.bias.type));
    require(args.out.data != nullptr || args.exit.data != nullptr, "no result", 0);
    require(args.exit.data != nullptr || args.shortcut.data == nullptr, "shortcut without an exit", 0);
    require_channels(args.in_channels, args.channels);
    require_channels(args.out_channels, args.channels);
    if (args.exit.data != nullptr) require_channels(args.exit_channels, 2 * args.channels);
    require((args.kinds[0] & kStageAddPrevious) == 0 || args.residual.data != nullptr, "layer without its residual", 0);
}

/// Launches the body for the shape that the arguments name, with launch(items, body); refuses others.
template <template <typename> typename Body, typename ForEachShape, typename Launch>
void launch_shape(const ForEachShape& for_each_shape, const StageArgs& args, const Launch& launch) {
    bool found = false;
    for_each_shape([&](auto shape) {
        using Shape = decltype(shape);
        if (Shape::kChannels != args.channels || Shape::kSide != args.side || Shape::kImages != args.tile_images)
            return;
        if (args.exit.data != nullptr && !Shape::kHasExit) return;
        found = true;
        const std::int64_t tiles = (args.samples + Shape::kImages - 1) / Shape::kImages;
        const std::int64_t items = args.points * tiles;
        launch(items, Body<Shape>{args, FastExtent(tiles, is_narrow(items))});
    });
    if (!found) refuse("stage", "shape", args.channels);
}

template <typename Launch>
void launch_stage(const StageArgs& args, const Launch& launch) {
    check_stage(args, DType::f16);
    launch_shape<Stage>([](const auto& visit) { for_each_stage_shape(visit); }, args,
                        [&](std::int64_t items, const auto& body) { launch.warps(items, body); });
}

}  // namespace lossmap::kernels
