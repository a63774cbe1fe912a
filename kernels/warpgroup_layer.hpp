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

/// One layer of a warpgroup's band of rows, for its group of filters. An input row times the weights of all three
/// vertical taps at once: it is read once for 3 x kGroupFilters columns, whose three parts belong to the output rows
/// below, at and above it. They are added to those in registers, or are those registers (Shape::kRotates).
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
        begin_ = group_.index % Shape::kBands * Shape::kBandRows;
        if constexpr (Shape::kRotates)
            rotate();
        else
            carry(refill);
    }

private:
    [[nodiscard]] LOSSMAP_HD int end() const { return begin_ + Shape::kBandRows; }
    [[nodiscard]] LOSSMAP_HD bool reads_above() const { return Shape::kHalo > 0 || (Shape::kBands > 1 && begin_ > 0); }
    [[nodiscard]] LOSSMAP_HD bool reads_below() const {
        return Shape::kHalo > 0 || (Shape::kBands > 1 && end() < Shape::kRows);
    }

    /// The three parts of a row's products are added to what the rows in front of it left.
    template <typename Refill>
    LOSSMAP_HD void carry(const Refill& refill) {
        Part upper, next;  // output rows y - 1 and y, incomplete
        if (reads_above()) {
            // Of the row above the band only what it adds to the row below it.
            Part sums;
            multiply(sums, begin_ - 1, Shape::tap_block(0));
            group_.finish(sums);
            add_bias(next, sums);
        } else {
            set_bias(next, 0);
        }
        // Rows whose products are followed by others' weights.
        constexpr int kLast = kRefills ? 2 : 0;
        // Unrolled, the products would wait for each other (ptxas C7511).
#if defined(__CUDA_ARCH__)
#pragma unroll 1
#endif
        for (int y = begin_; y < end() - kLast; y += 2)
            pass(y, y > begin_, upper, next, [](int) {});
        if constexpr (kRefills) pass(end() - kLast, true, upper, next, refill);
        Pairs residual;
        load_residual(residual, end() - 1);
        if (reads_below()) {
            Part sums;
            multiply(sums, end(), Shape::tap_block(2));
            group_.finish(sums);
            add<0>(upper, upper, sums);
        }
        round(residual, upper, 0);
        store(end() - 1, residual);
    }

    /// Three rows of output take turns in three parts of the sums, to which products are added as they are: row o of
    /// the band in part o % 3. An input row finds its three taps in the order of the parts, whichever that is.
    LOSSMAP_HD void rotate() {
        Sums<3 * kPart> sums;
        Pairs pending;  // rounded, not stored: that happens under the next row's products
        set_bias(sums, 0);
        set_bias(sums, kPart);
        set_bias(sums, 2 * kPart);
        if (reads_above()) {
            Part part;
            multiply(part, begin_ - 1, Shape::tap_block(0));
            group_.finish(part);
            add<0>(sums, sums, part);
        }
        constexpr int kLast = Shape::kBandRows - 1;
        for (int row = 0;; row += 3) {
            turn<0>(sums, pending, row);
            if (kLast % 3 == 0 && row == kLast) break;
            turn<1>(sums, pending, row + 1);
            if (kLast % 3 == 1 && row + 1 == kLast) break;
            turn<2>(sums, pending, row + 2);
            if (kLast % 3 == 2 && row + 2 == kLast) break;
        }
        Pairs residual;
        load_residual(residual, end() - 1);
        if (reads_below()) {
            Part part;
            multiply(part, end(), Shape::tap_block(2));
            store(end() - 2, pending);
            group_.finish(part);
            add<0>(sums, sums, part, kLast % 3 * kPart);
        } else {
            store(end() - 2, pending);
        }
        round(residual, sums, kLast % 3 * kPart);
        store(end() - 1, residual);
    }
    /// Row `row` of the band, which is kTurn modulo 3: completes the row above it, whose part is the next but one's
    /// then.
    template <int kTurn>
    LOSSMAP_HD void turn(Sums<3 * kPart>& sums, Pairs& pending, int row) {
        constexpr int kDone = (kTurn + 2) % 3 * kPart;
        Pairs residual;
        if (row > 0) load_residual(residual, begin_ + row - 1);
        group_.begin();
        products(sums, begin_ + row, (4 - kTurn) % 3, 0, Shape::kSteps, true);
        group_.commit();
        if (row > 1) store(begin_ + row - 2, pending);
        group_.finish(sums);
        if (row > 0) {
            round(residual, sums, kDone);
            pending = residual;
        }
        set_bias(sums, kDone);
    }

    static constexpr bool kRefills = Shape::kWeightBuffers == 1;

    /// Input rows y and y + 1, whose products run together.
    template <typename Refill>
    LOSSMAP_HD void pass(int y, bool has_upper, Part& upper, Part& next, const Refill& refill) {
        Sums<3 * kPart> first, second;
        Pairs of_upper, of_next;
        load_residual(of_next, y);
        if (has_upper) load_residual(of_upper, y - 1);
        group_.begin();
        if constexpr (kRefills) {
            LOSSMAP_UNROLL
            for (int tap = 0; tap < 3; ++tap) {
                products(first, y, 0, tap * Shape::kChunks, (tap + 1) * Shape::kChunks, false);
                products(second, y + 1, 0, tap * Shape::kChunks, (tap + 1) * Shape::kChunks, false);
                group_.commit();
            }
            group_.template wait_for_all_but<2>();
            refill(0);
            group_.template wait_for_all_but<1>();
            refill(1);
            group_.template wait_for_all_but<0>();
            refill(2);
        } else {
            products(first, y, 0, 0, Shape::kSteps, false);
            products(second, y + 1, 0, 0, Shape::kSteps, false);
            group_.commit();
        }
        group_.finish(first);
        group_.finish(second);
        if (has_upper) {
            add<2>(upper, upper, first);
            round(of_upper, upper, 0);
            store(y - 1, of_upper);
        }
        add<1>(next, next, first);
        add<2>(next, next, second);
        round(of_next, next, 0);
        store(y, of_next);
        add_bias(upper, first);
        add<1>(upper, upper, second);
        add_bias(next, second);
    }

    LOSSMAP_HD float bias_of(int thread, int index) const { return bias_.at(thread, index / 4 * 2 + index % 2); }
    /// Sums from `first` on = bias.
    template <typename To>
    LOSSMAP_HD void set_bias(To& to, int first) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, first + k) = bias_of(thread, k);
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
    /// to = from + a part of sums, in registers from `first` on of both.
    template <int kIndex, typename To, typename RowSums>
    LOSSMAP_HD void add(To& to, const To& from, const RowSums& sums, int first = 0) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, first + k) = from.at(thread, first + k) + sums.at(thread, kIndex * kPart + k);
        });
    }

    /// Begins sums = input row y x weights, as many columns as there are sums, from a block of taps on.
    template <typename RowSums>
    LOSSMAP_HD void multiply(RowSums& sums, int y, int block) {
        group_.begin();
        products(sums, y, block, 0, Shape::kSteps, false);
        group_.commit();
    }
    /// .. of some steps; sums += where `add`.
    template <typename RowSums>
    LOSSMAP_HD void products(RowSums& sums, int y, int block, int first_step, int end_step, bool add) {
        const MatrixDescriptor row = group_.operand(Shape::pixels(source_, y, 0));
        LOSSMAP_UNROLL
        for (int step = first_step; step < end_step; ++step)
            group_.multiply(sums, row.moved(Shape::pixel_distance(step)),
                            weights_.moved(Shape::weight_distance(step, block)), add || step > 0);
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

    /// pairs = sums from `first` on, and what is added to them, rounded.
    template <typename RowSums>
    LOSSMAP_HD void round(Pairs& pairs, const RowSums& sums, int first) const {
        const bool has_residual = adds();
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                float left = sums.at(thread, first + 2 * k), right = sums.at(thread, first + 2 * k + 1);
                if (has_residual) {
                    left += first_half(pairs.at(thread, k));
                    right += second_half(pairs.at(thread, k));
                }
                pairs.at(thread, k) = pack_halves(left, right);
            }
        });
    }
    /// Overflow and ReLU of one output row, which is stored.
    LOSSMAP_HD void store(int y, Pairs& pairs) {
        const std::uint32_t floor = stage_floor((kind_ & kStageRelu) != 0);
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), pairs.at(thread, k));
                pairs.at(thread, k) = larger_halves(pairs.at(thread, k), floor);
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
    int begin_ = 0;  ///< of the band of rows
    MatrixDescriptor weights_;
    int source_;                                         ///< byte of the buffer that is read
    int target_;                                         ///< .. that is written
    typename Group::template Registers<int, 1> places_;  ///< of a thread's row of matrices in a row of cells
    Sums<kPart / 2> bias_;                               ///< of the filters of registers 4 k to 4 k + 3 of sums, twice
};

}  // namespace lossmap::kernels
