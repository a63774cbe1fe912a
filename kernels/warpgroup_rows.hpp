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

/// What the ways through a layer have in common: a warpgroup's band of rows, for its group of filters. An input row
/// times the weights of all three vertical taps at once is read once for 3 x kGroupFilters columns, whose three parts
/// belong to the output rows below, at and above it.
/// @param kAdds  whether the layer adds its input, or that of the layer in front of it, to its sums
template <typename Shape, typename Group, bool kAdds>
class WarpgroupRows {
protected:
    static constexpr int kPart = Shape::kGroupFilters / 2;  ///< registers of one vertical tap's sums

    template <int N>
    using Sums = typename Group::template Registers<float, N>;
    using Part = Sums<kPart>;
    using Pairs = typename Group::template Registers<std::uint32_t, kPart / 2>;

public:
    /// @param buffer  that the layer reads
    LOSSMAP_HD WarpgroupRows(const StageArgs& args, Group& group, WarpgroupState<Group>& state, int layer, int buffer)
        : group_(group),
          state_(state),
          kind_(args.kinds[layer]),
          begin_(group.index % Shape::kBands * Shape::kBandRows),
          source_(buffer * Shape::kBufferBytes),
          target_(Shape::kBufferBytes - source_),
          weights_(group.operand(Shape::weights(layer % Shape::kWeightBuffers, group.index / Shape::kBands, 0, 0))),
          first_row_(group.operand(Shape::pixels(source_, begin_, 0))) {}

protected:
    /// What epilogues need, products do not.
    /// @param bias  of the layer's filters
    LOSSMAP_HD void prepare(const float* bias) {
        const int first_filter = group_.index / Shape::kBands * Shape::kGroupFilters;
        group_.each_thread([&](int each) {
            const int thread = group_.settled(each);
            // Matrices 0 and 1 are 8 rows of a product and the next 8, of one plane; 2 and 3 those of the next plane.
            const int matrix = thread % 32 / 8;
            const int place = Shape::cell_offset(0, begin_, 0) + (thread / 32 * 16 + matrix % 2 * 8 + thread % 8) * 16 +
                              (first_filter / 8 + matrix / 2) * Shape::kPlaneBytes;
            stored_.at(each, 0) = group_.settled(place + target_);
            added_.at(each, 0) = group_.settled(place + ((kind_ & kStageAddInput) != 0 ? source_ : target_));
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k)
                bias_.at(each, k) =
                    bias[(first_filter + k / 2 * 8 + group_sum_place(thread, k % 2).column) % Shape::kChannels];
        });
    }
    /// Whether the row in front of the band, or behind it, is one of the image's.
    [[nodiscard]] LOSSMAP_HD bool reads_above() const { return Shape::kHalo > 0 || (Shape::kBands > 1 && begin_ > 0); }
    [[nodiscard]] LOSSMAP_HD bool reads_below() const {
        return Shape::kHalo > 0 || (Shape::kBands > 1 && begin_ + Shape::kBandRows < Shape::kRows);
    }

    LOSSMAP_HD float bias_of(int thread, int index) const { return bias_.at(thread, index / 4 * 2 + index % 2); }
    /// to = sums from `first` on + bias.
    template <typename RowSums>
    LOSSMAP_HD void add_bias(Part& to, const RowSums& sums, int first) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, k) = bias_of(thread, k) + sums.at(thread, first + k);
        });
    }
    /// to = sums from `first` on + bias; these are 0 then.
    template <typename RowSums>
    LOSSMAP_HD void take(Part& to, RowSums& sums, int first) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k) {
                to.at(thread, k) = sums.at(thread, first + k) + bias_of(thread, k);
                sums.at(thread, first + k) = group_.zero_behind(to.at(thread, k));
            }
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

    /// sums = input row `row` x weights in some steps, as many columns as there are sums, from a block of taps on; or
    /// += where `add`.
    template <typename RowSums>
    LOSSMAP_HD void products(RowSums& sums, int row, int block, int first_step, int end_step, bool add) {
        const MatrixDescriptor pixels = first_row_.moved(row * Shape::kRowBytes);
        LOSSMAP_UNROLL
        for (int step = first_step; step < end_step; ++step)
            group_.multiply(sums, pixels.moved(Shape::pixel_distance(step)),
                            weights_.moved(Shape::weight_distance(step, block)), add || step > 0);
    }

    /// What is added to an output row, where something is. In registers long before it is wanted: between stores each
    /// load would wait.
    LOSSMAP_HD void load_residual(Pairs& pairs, int row) {
        if constexpr (kAdds) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; k += 4)
                group_.load_matrices(pairs, k, added_, row * Shape::kRowBytes + k / 2 * Shape::kPlaneBytes);
        }
    }

    /// Stores a complete row of output.
    LOSSMAP_HD void complete(int row, const Part& sums) {
        Pairs residual;
        load_residual(residual, row);
        complete(row, sums, residual);
    }
    /// .. of which what is added to it has been loaded.
    LOSSMAP_HD void complete(int row, const Part& sums, Pairs& residual) {
        round(residual, sums);
        store(row, residual);
    }

    Group& group_;

private:
    /// pairs = sums, and what is added to them, rounded.
    LOSSMAP_HD void round(Pairs& pairs, const Part& sums) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                float left = sums.at(thread, 2 * k), right = sums.at(thread, 2 * k + 1);
                if constexpr (kAdds) {
                    left += first_half(pairs.at(thread, k));
                    right += second_half(pairs.at(thread, k));
                }
                pairs.at(thread, k) = pack_halves(left, right);
            }
        });
    }
    /// Overflow and ReLU of one output row, which is stored.
    LOSSMAP_HD void store(int row, Pairs& pairs) {
        const std::uint32_t floor = stage_floor((kind_ & kStageRelu) != 0);
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), pairs.at(thread, k));
                pairs.at(thread, k) = larger_halves(pairs.at(thread, k), floor);
            }
        });
        LOSSMAP_UNROLL
        for (int k = 0; k < kPart / 2; k += 4)
            group_.store_matrices(pairs, k, stored_, row * Shape::kRowBytes + k / 2 * Shape::kPlaneBytes);
        if (Shape::kHalo > 0 && (row == 0 || row == Shape::kBandRows - 1)) store_copy(begin_ + row, pairs);
    }
    /// The neighbouring half's copy of a row.
    LOSSMAP_HD void store_copy(int y, const Pairs& pairs) {
        group_.each_thread([&](int thread) {
            const GroupSumPlace place = group_sum_place(group_.settled(thread), 0);
            const int distance = Shape::copy_distance(place.row % Shape::kSlots, y);
            if (distance == 0) return;
            static_assert(Shape::kHalo == 0 || Shape::kFilterGroups == 1);
            const int to = target_ + Shape::cell_offset(0, y, 0) + distance + place.row * 16 + place.column * 2;
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k)
                group_.store(to + k / 2 * Shape::kPlaneBytes + k % 2 * 128, pairs.at(thread, k));
        });
    }

    WarpgroupState<Group>& state_;
    int kind_;
    int begin_;   ///< of the band: rows are counted from there
    int source_;  ///< byte of the buffer that is read
    int target_;  ///< .. that is written
    MatrixDescriptor weights_;
    MatrixDescriptor first_row_;
    typename Group::template Registers<int, 1> stored_;  ///< where a thread's row of matrices of the first row belongs
    typename Group::template Registers<int, 1> added_;   ///< .. and where what is added to it stands
    Sums<kPart / 2> bias_;                               ///< of the filters of registers 4 k to 4 k + 3 of sums, twice
};

}  // namespace lossmap::kernels
