#pragma once

#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/warpgroup_shape.hpp"

namespace lossmap::kernels {

/// What a warpgroup keeps in registers through a tile: a thread stores pixels of one slot alone.
template <typename Group>
struct WarpgroupState {
    typename Group::template Registers<std::uint32_t, 1> largest;  ///< magnitudes stored so far
};

/// One layer of a warpgroup's band of rows. An input row times the weights of all three vertical taps at once: it is
/// read once for 3 x kCellChannels columns, whose three parts are added in registers, always the same ones, to the
/// output rows below, at and above it.
template <typename Shape, typename Group>
class WarpgroupWalk {
    static constexpr int kPart = Shape::kGroupFilters / 2;  ///< registers of one vertical tap's sums

    template <int N>
    using Sums = typename Group::template Registers<float, N>;
    using Part = Sums<kPart>;
    using Pairs = typename Group::template Registers<std::uint32_t, kPart / 2>;

public:
    /// @param bias  of the layer's filters
    LOSSMAP_HD WarpgroupWalk(const StageArgs& args, Group& group, WarpgroupState<Group>& state, int layer,
                             const float* bias)
        : group_(group),
          state_(state),
          kind_(args.kinds[layer]),
          weights_(group.operand(Shape::weights(layer % Shape::kWeightBuffers, group.index / Shape::kBands, 0, 0))),
          source_(layer % 2 * Shape::kBufferBytes),
          target_(Shape::kBufferBytes - source_) {
        const int first_filter = group.index / Shape::kBands * Shape::kGroupFilters;
        group.each_thread([&](int thread) {
            // Matrices 0 and 1 are 8 rows of a product and the next 8, of one plane; 2 and 3 those of the next plane.
            const int matrix = thread % 32 / 8;
            places_.at(thread, 0) = (thread / 32 * 16 + matrix % 2 * 8 + thread % 8) * 16 +
                                    (first_filter / 8 + matrix / 2) * Shape::kPlaneBytes;
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k)
                bias_.at(thread, k) =
                    bias[(first_filter + k / 2 * 8 + group_sum_place(thread, k % 2).column) % Shape::kChannels];
        });
    }

    /// @param refill  refill(tap) fetches the next layer's weights of a horizontal tap, where there is one buffer: this
    ///                layer's are not read any more
    template <typename Refill>
    LOSSMAP_HD void run(const Refill& refill) {
        const int begin = group_.index % Shape::kBands * Shape::kBandRows, end = begin + Shape::kBandRows;
        Part upper, next;  // output rows y - 1 and y, incomplete
        if (Shape::kHalo > 0 || (Shape::kBands > 1 && begin > 0)) {
            // Of the row above the band only what it adds to the row below it.
            Part sums;
            multiply<0>(sums, begin - 1);
            group_.finish(sums);
            add_bias(next, sums);
        } else {
            set_bias(next);
        }
        constexpr int kLast =
            kRefills ? Shape::kBatchRows : 0;  ///< rows whose products are followed by others' weights
                                               // Unrolled, the products would wait for each other (ptxas C7511).
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
        for (int y = begin; y < end - kLast; y += Shape::kBatchRows)
            pass(y, y > begin, upper, next, [](int) {});
        if constexpr (kRefills) pass(end - kLast, true, upper, next, refill);
        Pairs residual;
        load_residual(residual, end - 1);
        if (Shape::kHalo > 0 || (Shape::kBands > 1 && end < Shape::kRows)) {
            Part sums;
            multiply<2>(sums, end);
            group_.finish(sums);
            add<0>(upper, upper, sums);
        }
        store(end - 1, upper, residual);
    }

private:
    static constexpr bool kRefills = Shape::kWeightBuffers == 1;

    /// Input rows y and y + 1, whose products run together.
    template <typename Refill>
    LOSSMAP_HD void pass(int y, bool has_upper, Part& upper, Part& next, const Refill& refill) {
        static_assert(Shape::kBatchRows == 2);
        Sums<3 * kPart> first, second;
        Pairs of_upper, of_next;
        load_residual(of_next, y);
        if (has_upper) load_residual(of_upper, y - 1);
        group_.begin();
        if constexpr (kRefills) {
            LOSSMAP_UNROLL
            for (int tap = 0; tap < 3; ++tap) {
                products<0>(first, y, tap * Shape::kChunks, (tap + 1) * Shape::kChunks);
                products<0>(second, y + 1, tap * Shape::kChunks, (tap + 1) * Shape::kChunks);
                group_.commit();
            }
            group_.template wait_for_all_but<2>();
            refill(0);
            group_.template wait_for_all_but<1>();
            refill(1);
            group_.template wait_for_all_but<0>();
            refill(2);
        } else {
            products<0>(first, y, 0, Shape::kSteps);
            products<0>(second, y + 1, 0, Shape::kSteps);
            group_.commit();
        }
        group_.finish(first);
        group_.finish(second);
        if (has_upper) {
            add<2>(upper, upper, first);
            store(y - 1, upper, of_upper);
        }
        add<1>(next, next, first);
        add<2>(next, next, second);
        store(y, next, of_next);
        add_bias(upper, first);
        add<1>(upper, upper, second);
        add_bias(next, second);
    }

    LOSSMAP_HD float bias_of(int thread, int index) const { return bias_.at(thread, index / 4 * 2 + index % 2); }
    LOSSMAP_HD void set_bias(Part& to) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, k) = bias_of(thread, k);
        });
    }
    /// to = the first part of sums + bias.
    template <typename RowSums>
    LOSSMAP_HD void add_bias(Part& to, const RowSums& sums) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, k) = bias_of(thread, k) + sums.at(thread, k);
        });
    }
    /// to = from + a part of sums.
    template <int kIndex, typename RowSums>
    LOSSMAP_HD void add(Part& to, const Part& from, const RowSums& sums) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, k) = from.at(thread, k) + sums.at(thread, kIndex * kPart + k);
        });
    }

    /// Begins sums = input row y x weights, as many columns as there are sums, from vertical tap kTap on.
    template <int kTap, typename RowSums>
    LOSSMAP_HD void multiply(RowSums& sums, int y) {
        group_.begin();
        products<kTap>(sums, y, 0, Shape::kSteps);
        group_.commit();
    }
    /// .. of some steps.
    template <int kTap, typename RowSums>
    LOSSMAP_HD void products(RowSums& sums, int y, int first_step, int end_step) {
        const MatrixDescriptor row = group_.operand(Shape::pixels(source_, y, 0));
        LOSSMAP_UNROLL
        for (int step = first_step; step < end_step; ++step)
            group_.multiply(sums, row.moved(Shape::pixel_distance(step)),
                            weights_.moved(Shape::weight_distance(step, kTap)), step > 0);
    }

    [[nodiscard]] LOSSMAP_HD bool adds() const { return (kind_ & (kStageAddInput | kStageAddPrevious)) != 0; }

    /// What is added to an output row, where something is. In registers long before it is wanted: between stores each
    /// load would wait.
    LOSSMAP_HD void load_residual(Pairs& pairs, int y) {
        if (!adds()) return;
        const int row = Shape::cell_offset(0, y, 0) + ((kind_ & kStageAddInput) != 0 ? source_ : target_);
        LOSSMAP_UNROLL
        for (int k = 0; k < kPart / 2; k += 4)
            group_.load_matrices(pairs, k, places_, row + k / 2 * Shape::kPlaneBytes);
    }

    /// Residual, overflow, ReLU and the rounding of one output row.
    LOSSMAP_HD void store(int y, Part& sums, Pairs& pairs) {
        if (adds()) {
            group_.each_thread([&](int thread) {
                LOSSMAP_UNROLL
                for (int k = 0; k < kPart; ++k) {
                    const std::uint32_t pair = pairs.at(thread, k / 2);
                    sums.at(thread, k) += k % 2 == 0 ? first_half(pair) : second_half(pair);
                }
            });
        }
        const std::uint32_t floor = stage_floor((kind_ & kStageRelu) != 0);
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                const std::uint32_t rounded = pack_halves(sums.at(thread, 2 * k), sums.at(thread, 2 * k + 1));
                state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), rounded);
                pairs.at(thread, k) = larger_halves(rounded, floor);
            }
        });
        const int row = target_ + Shape::cell_offset(0, y, 0);
        LOSSMAP_UNROLL
        for (int k = 0; k < kPart / 2; k += 4)
            group_.store_matrices(pairs, k, places_, row + k / 2 * Shape::kPlaneBytes);
        if (Shape::kHalo > 0 && (y == 0 || y == Shape::kRows - 1)) copy(y, pairs);
    }
    /// The neighbouring half's copy of a row.
    LOSSMAP_HD void copy(int y, const Pairs& pairs) {
        group_.each_thread([&](int thread) {
            const GroupSumPlace place = group_sum_place(thread, 0);
            const int distance = Shape::copy_distance(place.row % Shape::kSlots, y);
            if (distance == 0) return;
            static_assert(Shape::kHalo == 0 || Shape::kFilterGroups == 1);
            const int to = target_ + Shape::cell_offset(0, y, 0) + distance + place.row * 16 + place.column * 2;
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k)
                group_.store(to + k / 2 * Shape::kPlaneBytes + k % 2 * 128, pairs.at(thread, k));
        });
    }

    Group& group_;
    WarpgroupState<Group>& state_;
    int kind_;
    MatrixDescriptor weights_;
    int source_;                                         ///< byte of the buffer that is read
    int target_;                                         ///< .. that is written
    typename Group::template Registers<int, 1> places_;  ///< of a thread's row of matrices in a row of cells
    Sums<kPart / 2> bias_;                               ///< of the filters of registers 4 k to 4 k + 3 of sums, twice
};

}  // namespace lossmap::kernels
