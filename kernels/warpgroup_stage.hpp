#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/stage.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/warpgroup_block.hpp"
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
struct WarpgroupStage : WarpgroupBlock<Shape> {
    using Base = WarpgroupBlock<Shape>;
    using Base::args;

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
    using Base::place_of, Base::ready, Base::clear, Base::clear_borders, Base::copy_weights, Base::bias_of;
    using typename Base::Place;

    template <typename Group>
    [[nodiscard]] LOSSMAP_HD WarpgroupTile<Shape, Group> tile(Group& group, const Place& place) const {
        return {args, group, place.point, place.first};
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
                .run(begin, [&](int tap) { this->copy_tap(group, point, layer + 1, tap); });
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
