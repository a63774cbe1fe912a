#pragma once

#include <cstdint>

#include "kernels/split_ledger.hpp"
#include "kernels/split_stage.hpp"
#include "kernels/warpgroup_block.hpp"
#include "kernels/warpgroup_carry.hpp"
#include "kernels/warpgroup_exit.hpp"
#include "kernels/warpgroup_shape.hpp"
#include "kernels/warpgroup_split_tile.hpp"
#include "kernels/warpgroup_turns.hpp"

namespace lossmap::kernels {

/// What kernels/split_stage.hpp does in fp32, on `wgmma` (sm_90a), as kernels/warpgroup_stage.hpp does in fp16.
///
/// What is known of numbers (kernels/split_ledger.hpp) is collected while a block of weights is computed with, in one
/// set of words, and judged under the products of the next one, which collects in the other set.
template <typename Shape>
struct WarpgroupSplitStage : WarpgroupBlock<Shape> {
    using Base = WarpgroupBlock<Shape>;
    using Base::args;

    template <typename Group>
    using State = WarpgroupState<Group>;

    /// Items `item`, `item` + `step` .. below `items`, one after the other. Inlined, however long: products that cross
    /// a call would wait for each other (ptxas C7510).
    template <typename Block>
    [[gnu::always_inline]] LOSSMAP_HD void run(Block& block, std::int64_t item, std::int64_t step,
                                               std::int64_t items) const {
        int buffer = 0, turn = 0;  // that the first layer reads; words that are judged next
        block.phase([&](auto& group, auto&) {
            clear(group);
            copy_weights(group, place_of(item).point, 0);
        });
        block.phase([&](auto& group, auto&) {
            load(group, place_of(item), buffer, turn);
            load_residual(group, place_of(item), buffer);
        });
        for (;;) {
            for (int weights = 0; weights < args.blocks(); ++weights, turn = 1 - turn) {
                block.phase([&](auto& group, auto& state) {
                    compute(group, state, item, item + step < items ? item + step : -1, weights, buffer, turn);
                    ready(group);
                });
            }
            const int result = (args.layers + buffer) % 2;
            buffer = 1 - result;
            block.phase([&](auto& group, auto&) {
                judge(group, place_of(item), args.blocks(), turn);
                if (item + step < items) {
                    copy_weights(group, place_of(item + step).point, 0);
                    load(group, place_of(item + step), buffer, 1 - turn);
                }
                tile(group, place_of(item)).copy_out(args.out, args.out_channels, result * Shape::kBufferBytes);
            });
            item += step;
            turn = 1 - turn;
            if (item >= items) break;
            block.phase([&](auto& group, auto&) { load_residual(group, place_of(item), buffer); });
        }
    }

private:
    using Base::place_of, Base::ready, Base::share_out, Base::copy_weights, Base::bias_of;
    using typename Base::Place;
    using Ledger = SplitLedger<Shape>;

    template <typename Group>
    [[nodiscard]] LOSSMAP_HD WarpgroupSplitTile<Shape, Group> tile(Group& group, const Place& place) const {
        return {args, group, place.point, place.first};
    }

    template <typename Group>
    LOSSMAP_HD void clear(Group& group) const {
        Base::clear(group);
        share_out(group, Shape::kWords, [&](int k) { group.store(Shape::kWordOffset + 4 * k, 0); });
    }

    /// A tile's images, to a buffer.
    /// @param turn  words that collect what is known of them
    template <typename Group>
    LOSSMAP_HD void load(Group& group, const Place& place, int buffer, int turn) const {
        typename WarpgroupSplitTile<Shape, Group>::Largest largest;
        tile(group, place).copy_in(args.in, args.in_channels, buffer * Shape::kBufferBytes, largest);
        LOSSMAP_UNROLL
        for (int image = 0; image < Shape::kImages; ++image)
            group.raise(Shape::storing_word(image, turn), largest[image]);
    }
    /// What is added to its first layer, to the other buffer. It shows in what it is added to.
    template <typename Group>
    LOSSMAP_HD void load_residual(Group& group, const Place& place, int buffer) const {
        typename WarpgroupSplitTile<Shape, Group>::Largest largest;
        if (args.residual.data != nullptr)
            tile(group, place).copy_in(args.residual, args.out_channels, (1 - buffer) * Shape::kBufferBytes, largest);
        ready(group);
    }

    /// What a block of weights is for: a layer, or a part of the exit.
    /// @param next    the item behind this one; -1: none
    /// @param buffer  that the first layer reads
    /// @param turn    words that are judged; the others collect
    template <typename Group>
    LOSSMAP_HD void compute(Group& group, WarpgroupState<Group>& state, std::int64_t item, std::int64_t next, int block,
                            int buffer, int turn) const {
        group.each_thread([&](int thread) { state.largest.at(thread, 0) = 0; });
        if (block < args.layers) {
            if ((args.kinds[block] & (kStageAddInput | kStageAddPrevious)) != 0)
                layer<true>(group, state, item, next, block, buffer, turn);
            else
                layer<false>(group, state, item, next, block, buffer, turn);
        } else if constexpr (Shape::kHasExit) {
            const Place place = place_of(item);
            const float* bias = begin(group, place, block, turn);
            // Parts are 1 or 2: divided by with shifts.
            const int two = args.exit_parts() - 1, index = block - args.layers;
            WarpgroupSplitExit<Shape, Group>(args, group, state, index & two, index >> two, block,
                                             (args.layers + buffer) % 2)
                .run(bias, place.point, place.first);
            if constexpr (!Shape::kTurns) refill(group, place.point, block + 1);
        }
        raise_largest(group, state, 1 - turn);
    }

    template <bool kAdds, typename Group>
    LOSSMAP_HD void layer(Group& group, WarpgroupState<Group>& state, std::int64_t item, std::int64_t next, int layer,
                          int buffer, int turn) const {
        const auto under_products = [&] {
            if (layer == 0 && next >= 0) prefetch(group, place_of(next));
            return begin(group, place_of(item), layer, turn);
        };
        if constexpr (Shape::kTurns)
            WarpgroupTurns<Shape, Group, kAdds>(args, group, state, layer, (layer + buffer) % 2).run(under_products);
        else
            WarpgroupCarry<Shape, Group, kAdds>(args, group, state, layer, (layer + buffer) % 2)
                .run(under_products, [&](int tap) { this->copy_tap(group, place_of(item).point, layer + 1, tap); });
    }
    /// Fetches the next block of weights behind products with this one.
    template <typename Group>
    LOSSMAP_HD void refill(Group& group, std::int64_t point, int block) const {
        LOSSMAP_UNROLL
        for (int tap = 0; tap < 3; ++tap)
            this->copy_tap(group, point, block, tap);
    }

    template <typename Group>
    LOSSMAP_HD void prefetch(Group& group, const Place& place) const {
        tile(group, place).prefetch(args.in, args.in_channels);
        tile(group, place).prefetch(args.residual, args.out_channels);
    }
    /// What products with a block of weights do not need.
    /// @returns its biases
    template <typename Group>
    LOSSMAP_HD const float* begin(Group& group, const Place& place, int block, int turn) const {
        if constexpr (Shape::kTurns) copy_weights(group, place.point, block + 1);
        judge(group, place, block, turn);
        raise_weight(group, block, 1 - turn);
        return bias_of(place.point, block);
    }

    /// @param done  blocks of weights that have been computed with
    template <typename Group>
    LOSSMAP_HD void judge(Group& group, const Place& place, int done, int turn) const {
        if (group.index != 0) return;
        group.each_thread([&](int thread) {
            if (thread >= Shape::kImages) return;
            Ledger::judge(args, group, place.point, place.first, thread, done, turn);
            group.store(Shape::weight_word(thread, turn), 0);
        });
    }

    /// Collects the largest of a block's weights for a warpgroup's filters: others' may have been replaced. Of a 1x1
    /// convolution only the middle tap has been written.
    template <typename Group>
    LOSSMAP_HD void raise_weight(Group& group, int block, int turn) const {
        const bool middle_alone = block >= args.layers + args.exit_parts();
        const int offset = Shape::kWeightOffset + block % Shape::kWeightBuffers * Shape::kWeightBytes;
        typename Group::template Registers<std::uint32_t, 1> largest;
        group.each_thread([&](int thread) { largest.at(thread, 0) = 0; });
        group.each_thread([&](int thread) {
            constexpr int kFilters = Shape::kGroupFilters, kPacks = Shape::kSourcePacks / Shape::kFilterGroups;
            const int first_filter = group.index / Shape::kBands * kFilters;
            for (int k = group.settled(group.index % Shape::kBands * 128 + thread); k < kPacks;
                 k += 128 * Shape::kBands) {
                const int filter = first_filter + k % kFilters, tap = k / kFilters % 3, row = k / kFilters / 3;
                if (middle_alone && (tap != 1 || row / (2 * Shape::kChunks) != 1)) continue;
                std::uint32_t pairs[4];
                group.load_pack(pairs,
                                offset + Shape::weight_pack(row / 2, row % 2, Shape::tap_block(tap), filter) * 16);
                LOSSMAP_UNROLL
                for (const std::uint32_t pair : pairs)
                    largest.at(thread, 0) = larger_magnitudes(largest.at(thread, 0), pair);
            }
            largest.at(thread, 0) = larger_bits(largest.at(thread, 0) & 0xffffu, largest.at(thread, 0) >> 16);
        });
        LOSSMAP_UNROLL
        for (int image = 0; image < Shape::kImages; ++image)
            group.raise(Shape::weight_word(image, turn), largest);
    }

    /// Collects the largest magnitudes that have been stored.
    template <typename Group>
    LOSSMAP_HD void raise_largest(Group& group, const WarpgroupState<Group>& state, int turn) const {
        LOSSMAP_UNROLL
        for (int image = 0; image < Shape::kImages; ++image) {
            typename Group::template Registers<std::uint32_t, 1> largest;
            group.each_thread([&](int thread) {
                const int slot = group_sum_place(thread, 0).row % Shape::kSlots;
                largest.at(thread, 0) = Shape::image_of(slot) == image ? state.largest.at(thread, 0) : 0;
            });
            group.raise(Shape::storing_word(image, turn), largest);
        }
    }
};

/// stage_fit for split stages on wgmma.
[[nodiscard]] inline StageFit warpgroup_split_fit(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes) {
    return best_fit([](const auto& visit) { for_each_warpgroup_split_shape(visit); }, channels, side, shared_bytes);
}

template <typename Launch>
void launch_warpgroup_split_stage(const StageArgs& args, const Launch& launch) {
    check_split_stage(args);
    launch_shape<WarpgroupSplitStage>([](const auto& visit) { for_each_warpgroup_split_shape(visit); }, args,
                                      [&](std::int64_t items, const auto& body) { launch.warpgroups(items, body); });
}

}  // namespace lossmap::kernels
