#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/stage.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/warpgroup_carry.hpp"
#include "kernels/warpgroup_exit.hpp"
#include "kernels/warpgroup_shape.hpp"
#include "kernels/warpgroup_turns.hpp"

namespace lossmap::kernels {

/// What kernels/stage.hpp does, on `wgmma` (sm_90a): one block takes one tile of images at one point through all
/// layers. `Block` is HostWarpgroupBlock or DeviceWarpgroupBlock: phase(work) runs work(group, state) in all warpgroups
/// and passes a barrier.
template <typename Shape>
struct WarpgroupStage {
    static constexpr int kThreads = Shape::kThreads;
    static constexpr int kWarpgroups = Shape::kWarpgroups;
    static constexpr int kSharedBytes = Shape::kSharedBytes;

    StageArgs args;
    FastExtent tiles;

    template <typename Group>
    using State = WarpgroupState<Group>;

    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t item) const {
        std::int64_t point = item;
        const std::int64_t first = tiles.take(point) * Shape::kImages;
        block.phase([&](auto& group, auto& state) { load(group, state, point, first); });
        for (int weights = 0; weights < args.blocks(); ++weights) {
            block.phase([&](auto& group, auto& state) {
                compute(group, state, point, weights);
                ready(group);
            });
        }
        block.phase([&](auto& group, auto& state) { write(group, state, point, first); });
    }

private:
    /// visit(k) for each k below `count`, spread over the block.
    template <typename Group, typename Visit>
    LOSSMAP_HD static void share_out(const Group& group, int count, const Visit& visit) {
        group.each_thread([&](int thread) {
            for (int k = group.settled(group.index * 128 + thread); k < count; k += kThreads)
                visit(k);
        });
    }

    /// Behind it, and the barrier, products see what was stored.
    template <typename Group>
    LOSSMAP_HD static void ready(Group& group) {
        group.wait_for_copies();
        group.publish();
    }

    /// 8 channels of a pixel of a tile.
    struct Pack {
        int image, y, x, plane;
        std::int64_t element;  ///< in a point's images
        bool exists;
    };
    /// visit(pack) for each of a tile.
    /// @param channels  of a pixel in global memory
    template <typename Group, typename Visit>
    LOSSMAP_HD void each_pack(const Group& group, std::int64_t first, int channels, const Visit& visit) const {
        // A thread's packs stand below each other: only the row changes.
        constexpr int kRowPacks = Shape::kSide * Shape::kChannelPlanes, kStep = kThreads / kRowPacks;
        static_assert(kThreads % kRowPacks == 0);
        group.each_thread([&](int thread) {
            const int k = group.settled(group.index * 128 + thread), plane = k % Shape::kChannelPlanes;
            const int x = k / Shape::kChannelPlanes % Shape::kSide;
            const bool stored = plane * 8 < channels;
            std::int64_t element = (first * Shape::kPixels + k / Shape::kChannelPlanes) * channels + plane * 8;
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
            for (int row = k / kRowPacks; row < Shape::kImages * Shape::kSide; row += kStep) {
                const int image = row / Shape::kSide;
                visit(Pack{image, row % Shape::kSide, x, plane, element, stored && first + image < args.samples});
                element += std::int64_t{1} * kStep * Shape::kSide * channels;
            }
        });
    }

    template <typename Group>
    LOSSMAP_HD void load(Group& group, WarpgroupState<Group>& state, std::int64_t point, std::int64_t first) const {
        group.each_thread([&](int thread) { state.largest.at(thread, 0) = 0; });
        copy_images(group, args.in, args.in_channels, point, first, 0);
        if (args.residual.data != nullptr)
            copy_images(group, args.residual, args.out_channels, point, first, Shape::kBufferBytes);
        copy_weights(group, point, 0);
        share_out(group, 2 * Shape::kPlanes * Shape::kZeroCells, [&](int k) {
            group.clear_pack(k / Shape::kZeroCells * Shape::kPlaneBytes + Shape::zero_offset(k % Shape::kZeroCells));
        });
        if constexpr (Shape::kZeroPacks > 0)
            share_out(group, Shape::kWeightBuffers * Shape::kZeroPacks, [&](int k) {
                group.clear_pack(Shape::kWeightOffset + k / Shape::kZeroPacks * Shape::kWeightBytes +
                                 Shape::zero_pack(k % Shape::kZeroPacks) * 16);
            });
        ready(group);
    }

    template <typename Group>
    LOSSMAP_HD void copy_images(Group& group, const Input& from, int channels, std::int64_t point, std::int64_t first,
                                int buffer) const {
        const Half* source = static_cast<const Half*>(from.data) + point * from.point_stride;
        each_pack(group, first, channels, [&](const Pack& pack) {
            const Half* place = source + (pack.exists ? pack.element : 0);
            const int offset = buffer + Shape::pixel_offset(pack.image, pack.y, pack.x, pack.plane);
            group.copy_in(offset, place, pack.exists);
            const int half = pack.y / Shape::kRows;
            const int copy = Shape::copy_distance(Shape::slot_of(pack.image, half), pack.y % Shape::kRows);
            if (copy != 0) group.copy_in(offset + copy, place, pack.exists);
        });
    }

    [[nodiscard]] LOSSMAP_HD const Half* weights_of(std::int64_t point, int block) const {
        return static_cast<const Half*>(args.weights.data) + point * args.weights.point_stride +
               static_cast<std::int64_t>(block) * Shape::kWeights;
    }

    /// Copies block `block` of weights, where there is one.
    template <typename Group>
    LOSSMAP_HD void copy_weights(Group& group, std::int64_t point, int block) const {
        if (block >= args.blocks()) return;
        const int to = Shape::kWeightOffset + block % Shape::kWeightBuffers * Shape::kWeightBytes;
        const Half* source = weights_of(point, block);
        share_out(group, Shape::kSourcePacks, [&](int k) {
            LOSSMAP_UNROLL
            for (int pixel = 0; pixel < Shape::kPair; ++pixel) {
                const int place = to + Shape::weight_place(k, pixel) * 16, second = Shape::second_distance(k);
                group.copy_in(place, source + k * 8, true);
                if (second != 0) group.copy_in(place + second, source + k * 8, true);
            }
        });
    }

    /// The same of one horizontal tap, and for the filters that this warpgroup alone reads.
    template <typename Group>
    LOSSMAP_HD void copy_tap(Group& group, std::int64_t point, int block, int tap) const {
        if (block >= args.blocks()) return;
        constexpr int kFilters = Shape::kGroupFilters, kRows = 3 * Shape::kChannelPlanes;
        static_assert(128 % kFilters == 0 && kRows * kFilters % 128 == 0);
        const Half* source = weights_of(point, block);
        group.each_thread([&](int each) {
            const int thread = group.settled(each);
            const int filter = group.index * kFilters + thread % kFilters;
            LOSSMAP_UNROLL
            for (int k = 0; k < kRows * kFilters / 128; ++k) {
                const int row = thread / kFilters + k * (128 / kFilters);
                const int y = row / Shape::kChannelPlanes, plane = row % Shape::kChannelPlanes;
                const int pack = ((y * 3 + tap) * Shape::kChannelPlanes + plane) * Shape::kChannels + filter;
                group.copy_in(Shape::kWeightOffset + Shape::weight_place(pack, 0) * 16, source + pack * 8, true);
            }
        });
    }

    /// What a block of weights is for: a layer, or a part of the exit.
    template <typename Group>
    LOSSMAP_HD void compute(Group& group, WarpgroupState<Group>& state, std::int64_t point, int block) const {
        const float* bias = static_cast<const float*>(args.bias.data) + point * args.bias.point_stride +
                            std::int64_t{1} * block * Shape::kChannels;
        if (block < args.layers) {
            if ((args.kinds[block] & (kStageAddInput | kStageAddPrevious)) != 0)
                layer<true>(group, state, point, block, bias);
            else
                layer<false>(group, state, point, block, bias);
        } else if constexpr (Shape::kHasExit) {
            copy_weights(group, point, block + 1);
            const int parts = args.exit_parts(), index = block - args.layers;
            WarpgroupExit<Shape, Group>(args, group, state, index % parts, index / parts, block).run(bias);
        }
    }

    template <bool kAdds, typename Group>
    LOSSMAP_HD void layer(Group& group, WarpgroupState<Group>& state, std::int64_t point, int layer,
                          const float* bias) const {
        if constexpr (Shape::kTurns)
            WarpgroupTurns<Shape, Group, kAdds>(args, group, state, layer).run(bias, [&] {
                copy_weights(group, point, layer + 1);
            });
        else
            WarpgroupCarry<Shape, Group, kAdds>(args, group, state, layer).run(bias, [&](int tap) {
                copy_tap(group, point, layer + 1, tap);
            });
    }

    template <typename Group>
    LOSSMAP_HD void write(const Group& group, const WarpgroupState<Group>& state, std::int64_t point,
                          std::int64_t first) const {
        group.each_thread([&](int thread) {
            const int slot = group_sum_place(thread, 0).row % Shape::kSlots;
            if (has_non_finite(state.largest.at(thread, 0))) args.flag(point, first + Shape::image_of(slot));
        });
        const int buffer = args.layers % 2 * Shape::kBufferBytes;
        if constexpr (Shape::kHasExit) {
            write_exit(group, args.exit, 0, Shape::kBufferBytes - buffer, point, first);
            write_exit(group, args.shortcut, 1, Shape::kBufferBytes - buffer, point, first);
        }
        if (args.out.data == nullptr) return;
        Half* target = static_cast<Half*>(args.out.data) + point * args.out.point_stride;
        each_pack(group, first, args.out_channels, [&](const Pack& pack) {
            if (!pack.exists) return;
            group.copy_out(target + pack.element, buffer + Shape::pixel_offset(pack.image, pack.y, pack.x, pack.plane));
        });
    }

    template <typename Group>
    LOSSMAP_HD void write_exit(const Group& group, const Output& out, int tensor, int buffer, std::int64_t point,
                               std::int64_t first) const {
        if (out.data == nullptr) return;
        Half* target = static_cast<Half*>(out.data) + point * out.point_stride;
        constexpr int kPlanes = Shape::kExitPlanes;
        share_out(group, Shape::kImages * Shape::kExitPixels * kPlanes, [&](int k) {
            const int plane = k % kPlanes, pixel = k / kPlanes % Shape::kExitPixels;
            const int image = k / (kPlanes * Shape::kExitPixels);
            if (first + image >= args.samples || plane * 8 >= args.exit_channels) return;
            group.copy_out(target + (first * Shape::kExitPixels + k / kPlanes) * args.exit_channels + plane * 8,
                           buffer + Shape::exit_offset(tensor, plane, image, pixel));
        });
    }
};

[[nodiscard]] inline StageFit warpgroup_fit(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes) {
    return best_fit([](const auto& visit) { for_each_warpgroup_shape(visit); }, channels, side, shared_bytes);
}

template <typename Launch>
void launch_warpgroup_stage(const StageArgs& args, const Launch& launch) {
    check_stage(args, DType::f16);
    launch_shape<WarpgroupStage>([](const auto& visit) { for_each_warpgroup_shape(visit); }, args,
                                 [&](std::int64_t items, const auto& body) { launch.warpgroups(items, body); });
}

}  // namespace lossmap::kernels
