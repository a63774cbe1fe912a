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
#include "kernels/warpgroup_tile.hpp"
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

    /// Items `item`, `item` + `step` .. below `items`, one after the other: the next one's images come while this one's
    /// results go.
    template <typename Block>
    LOSSMAP_HD void run(Block& block, std::int64_t item, std::int64_t step, std::int64_t items) const {
        const bool exits = args.exit.data != nullptr, spare = !exits || args.out.data == nullptr;
        int buffer = 0;  // that the first layer reads
        block.phase([&](auto& group, auto& state) {
            clear(group);
            begin(group, place_of(item), buffer);
            enter(group, state, place_of(item), buffer);
        });
        for (;;) {
            for (int weights = 0; weights < args.blocks(); ++weights) {
                block.phase([&](auto& group, auto& state) {
                    compute(group, state, item, item + step < items ? item + step : -1, weights, buffer);
                    ready(group);
                });
            }
            // The last layer's result stands in one buffer, what the exit made of it in the other one.
            const int result = (args.layers + buffer) % 2;
            buffer = exits ? result : 1 - result;
            block.phase([&](auto& group, auto& state) {
                if (spare && item + step < items) begin(group, place_of(item + step), buffer);
                write(group, state, place_of(item), result);
            });
            item += step;
            if (item >= items) break;
            block.phase([&](auto& group, auto& state) {
                if (!spare) begin(group, place_of(item), buffer);
                if (exits) clear_borders(group, 1 - buffer);
                enter(group, state, place_of(item), buffer);
            });
        }
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

    /// A point, and the first sample of a tile of images.
    struct Place {
        std::int64_t point, first;
    };
    [[nodiscard]] LOSSMAP_HD Place place_of(std::int64_t item) const {
        std::int64_t point = item;
        const std::int64_t first = tiles.take(point) * Shape::kImages;
        return {point, first};
    }
    template <typename Group>
    [[nodiscard]] LOSSMAP_HD WarpgroupTile<Shape, Group> tile(Group& group, const Place& place) const {
        return {args, group, place.point, place.first};
    }

    /// Zeros that stay.
    template <typename Group>
    LOSSMAP_HD void clear(Group& group) const {
        clear_borders(group, 0);
        clear_borders(group, 1);
        if constexpr (Shape::kZeroPacks > 0)
            share_out(group, Shape::kWeightBuffers * Shape::kZeroPacks, [&](int k) {
                group.clear_pack(Shape::kWeightOffset + k / Shape::kZeroPacks * Shape::kWeightBytes +
                                 Shape::zero_pack(k % Shape::kZeroPacks) * 16);
            });
    }
    template <typename Group>
    LOSSMAP_HD void clear_borders(Group& group, int buffer) const {
        share_out(group, Shape::kPlanes * Shape::kZeroCells, [&](int k) {
            group.clear_pack(buffer * Shape::kBufferBytes + k / Shape::kZeroCells * Shape::kPlaneBytes +
                             Shape::zero_offset(k % Shape::kZeroCells));
        });
    }

    template <typename Group>
    LOSSMAP_HD void prefetch(Group& group, const Place& place) const {
        tile(group, place).prefetch(args.in, args.in_channels);
        tile(group, place).prefetch(args.residual, args.out_channels);
    }
    /// Begins to copy a tile's images to a buffer, and its first weights.
    template <typename Group>
    LOSSMAP_HD void begin(Group& group, const Place& place, int buffer) const {
        tile(group, place).copy_in(args.in, args.in_channels, buffer * Shape::kBufferBytes);
        copy_weights(group, place.point, 0);
    }
    /// What else a tile needs in front of its first layer.
    template <typename Group>
    LOSSMAP_HD void enter(Group& group, WarpgroupState<Group>& state, const Place& place, int buffer) const {
        group.each_thread([&](int thread) { state.largest.at(thread, 0) = 0; });
        if (args.residual.data != nullptr)
            tile(group, place).copy_in(args.residual, args.out_channels, (1 - buffer) * Shape::kBufferBytes);
        ready(group);
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
        constexpr int kPacks = Shape::kSourcePacks / 3;  // of a vertical tap
        share_out(group, Shape::kPair * kPacks, [&](int k) {
            const int pack = k % kPacks, place = to + Shape::weight_place(pack, k / kPacks) * 16;
            LOSSMAP_UNROLL
            for (int y = 0; y < 3; ++y) {
                const int distance = (Shape::tap_block(y) - Shape::tap_block(0)) * Shape::kGroupFilters * 16;
                const int second = Shape::second_distance(y);
                group.copy_in(place + distance, source + (y * kPacks + pack) * 8, true);
                if (second != 0) group.copy_in(place + distance + second, source + (y * kPacks + pack) * 8, true);
            }
        });
    }

    /// The same of one horizontal tap, and for the filters that this warpgroup alone reads.
    template <typename Group>
    LOSSMAP_HD void copy_tap(Group& group, std::int64_t point, int block, int tap) const {
        if (block >= args.blocks()) return;
        constexpr int kFilters = Shape::kGroupFilters, kPlanes = Shape::kChannelPlanes, kStep = 128 / kFilters;
        static_assert(128 % kFilters == 0 && kPlanes % kStep == 0);
        const Half* source = weights_of(point, block);
        group.each_thread([&](int each) {
            const int thread = group.settled(each);
            const int filter = group.index * kFilters + thread % kFilters;
            const int pack = (tap * kPlanes + thread / kFilters) * Shape::kChannels + filter;
            const int place = Shape::kWeightOffset + Shape::weight_place(pack, 0) * 16;
            LOSSMAP_UNROLL
            for (int k = 0; k < 3 * kPlanes / kStep; ++k) {
                const int y = k * kStep / kPlanes, plane = k * kStep % kPlanes;
                group.copy_in(
                    place + (plane * Shape::kTapBlocks + Shape::tap_block(y) - Shape::tap_block(0)) * kFilters * 16,
                    source + ((3 * y * kPlanes + plane) * Shape::kChannels + pack) * 8, true);
            }
        });
    }

    [[nodiscard]] LOSSMAP_HD const float* bias_of(std::int64_t point, int block) const {
        return static_cast<const float*>(args.bias.data) + point * args.bias.point_stride +
               std::int64_t{1} * block * Shape::kChannels;
    }

    /// What a block of weights is for: a layer, or a part of the exit.
    /// @param next    the item behind this one; -1: none
    /// @param buffer  that the first layer reads
    template <typename Group>
    LOSSMAP_HD void compute(Group& group, WarpgroupState<Group>& state, std::int64_t item, std::int64_t next, int block,
                            int buffer) const {
        if (block < args.layers) {
            if ((args.kinds[block] & (kStageAddInput | kStageAddPrevious)) != 0)
                layer<true>(group, state, item, next, block, buffer);
            else
                layer<false>(group, state, item, next, block, buffer);
        } else if constexpr (Shape::kHasExit) {
            const std::int64_t point = place_of(item).point;
            copy_weights(group, point, block + 1);
            // Parts are 1 or 2: divided by with shifts.
            const int two = args.exit_parts() - 1, index = block - args.layers;
            WarpgroupExit<Shape, Group>(args, group, state, index & two, index >> two, block,
                                        (args.layers + buffer) % 2)
                .run(bias_of(point, block));
        }
    }

    template <bool kAdds, typename Group>
    LOSSMAP_HD void layer(Group& group, WarpgroupState<Group>& state, std::int64_t item, std::int64_t next, int layer,
                          int buffer) const {
        // Under the first products, which need none of it.
        std::int64_t point = 0;
        const auto begin = [&] {
            point = place_of(item).point;
            if (layer == 0 && next >= 0) prefetch(group, place_of(next));
            if constexpr (Shape::kTurns) copy_weights(group, point, layer + 1);
            return bias_of(point, layer);
        };
        if constexpr (Shape::kTurns)
            WarpgroupTurns<Shape, Group, kAdds>(args, group, state, layer, (layer + buffer) % 2).run(begin);
        else
            WarpgroupCarry<Shape, Group, kAdds>(args, group, state, layer, (layer + buffer) % 2)
                .run(begin, [&](int tap) { copy_tap(group, point, layer + 1, tap); });
    }

    /// @param result  buffer of the last layer's result
    template <typename Group>
    LOSSMAP_HD void write(Group& group, const WarpgroupState<Group>& state, const Place& place, int result) const {
        group.each_thread([&](int thread) {
            const int slot = group_sum_place(thread, 0).row % Shape::kSlots;
            if (has_non_finite(state.largest.at(thread, 0)))
                args.flag(place.point, place.first + Shape::image_of(slot));
        });
        const auto images = tile(group, place);
        if constexpr (Shape::kHasExit) {
            images.copy_exit(args.exit, 0, (1 - result) * Shape::kBufferBytes);
            images.copy_exit(args.shortcut, 1, (1 - result) * Shape::kBufferBytes);
        }
        images.copy_out(args.out, args.out_channels, result * Shape::kBufferBytes);
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
