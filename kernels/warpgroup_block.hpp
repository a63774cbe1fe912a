#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/warpgroup_shape.hpp"

namespace lossmap::kernels {

/// What a block of warpgroups does around the layers of a stage, whatever numbers are: places, zeros, weights.
template <typename Shape>
struct WarpgroupBlock {
    static constexpr int kThreads = Shape::kThreads;
    static constexpr int kWarpgroups = Shape::kWarpgroups;
    static constexpr int kSharedBytes = Shape::kSharedBytes;

    StageArgs args;
    FastExtent tiles;

protected:
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
        share_out(group, Shape::kTerms * Shape::kPlanes * Shape::kZeroCells, [&](int k) {
            group.clear_pack(buffer * Shape::kBufferBytes + k / Shape::kZeroCells * Shape::kPlaneBytes +
                             Shape::zero_offset(k % Shape::kZeroCells));
        });
    }

    [[nodiscard]] LOSSMAP_HD const Half* weights_of(std::int64_t point, int block) const {
        return static_cast<const Half*>(args.weights.data) + point * args.weights.point_stride +
               static_cast<std::int64_t>(block) * Shape::kTerms * Shape::kWeights;
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
            for (int part = 0; part < 3 * Shape::kTerms; ++part) {
                const int y = part % 3, term = part / 3;
                const int distance =
                    (Shape::tap_block(y) - Shape::tap_block(0)) * Shape::kGroupFilters * 16 + term * Shape::kLowWeights;
                const int second = Shape::second_distance(y);
                const Half* from = source + term * Shape::kWeights + (y * kPacks + pack) * 8;
                group.copy_in(place + distance, from, true);
                if (second != 0) group.copy_in(place + distance + second, from, true);
            }
        });
    }

    /// The same of one horizontal tap, and for the filters that this warpgroup alone reads.
    template <typename Group>
    LOSSMAP_HD void copy_tap(Group& group, std::int64_t point, int block, int tap) const {
        if (block >= args.blocks()) return;
        constexpr int kFilters = Shape::kGroupFilters, kPlanes = Shape::kChannelPlanes;
        // A thread copies for one filter and plane, or for one of each kPlanesApart.
        constexpr int kPlanesApart = 128 / kFilters < kPlanes ? 128 / kFilters : kPlanes;
        constexpr int kTapsApart = 128 / (kFilters * kPlanesApart);  ///< that different threads copy, of all terms
        static_assert(128 % (kFilters * kPlanesApart) == 0 && kPlanes % kPlanesApart == 0);
        static_assert(3 * Shape::kTerms % kTapsApart == 0);
        const Half* source = weights_of(point, block);
        group.each_thread([&](int each) {
            const int thread = group.settled(each);
            const int filter = group.index * kFilters + thread % kFilters;
            const int pack = (tap * kPlanes + thread / kFilters % kPlanesApart) * Shape::kChannels + filter;
            const int place = Shape::kWeightOffset + Shape::weight_place(pack, 0) * 16;
            LOSSMAP_UNROLL
            for (int part = 0; part < 3 * Shape::kTerms; part += kTapsApart) {
                const int of_term = part + (kTapsApart == 1 ? 0 : thread / (kFilters * kPlanesApart));
                const int y = of_term % 3, term = of_term / 3;
                LOSSMAP_UNROLL
                for (int plane = 0; plane < kPlanes; plane += kPlanesApart) {
                    const int block_distance = plane * Shape::kTapBlocks + Shape::tap_block(y) - Shape::tap_block(0);
                    group.copy_in(
                        place + block_distance * kFilters * 16 + term * Shape::kLowWeights,
                        source + term * Shape::kWeights + ((3 * y * kPlanes + plane) * Shape::kChannels + pack) * 8,
                        true);
                }
            }
        });
    }

    [[nodiscard]] LOSSMAP_HD const float* bias_of(std::int64_t point, int block) const {
        return static_cast<const float*>(args.bias.data) + point * args.bias.point_stride +
               std::int64_t{1} * block * Shape::kChannels;
    }
};

}  // namespace lossmap::kernels
