#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/warpgroup_shape.hpp"
#include "kernels/warpgroup_sums.hpp"

namespace lossmap::kernels {

/// What a warpgroup keeps in registers through a tile: a thread stores pixels of one slot alone.
template <typename Group>
struct WarpgroupState {
    /// Magnitudes stored so far: of two f16, or the bits of one number.
    typename Group::template Registers<std::uint32_t, 1> largest;
};

/// What the ways through a layer have in common: a warpgroup's band of rows, for its group of filters. An input row
/// times the weights of all three vertical taps at once is read once for 3 x kGroupFilters columns, whose three parts
/// belong to the output rows below, at and above it.
/// @param kAdds  whether the layer adds its input, or that of the layer in front of it, to its sums
template <typename Shape, typename Group, bool kAdds>
class WarpgroupRows {
protected:
    static constexpr int kPart = Shape::kGroupFilters / 2;  ///< registers of one vertical tap's sums
    static constexpr int kTerms = Shape::kTerms;

    template <int N>
    using Sums = WarpgroupSums<Shape, Group, N>;
    using Part = typename Group::template Registers<float, kPart>;
    /// f16 of a row of output, by term.
    using Term = typename Group::template Registers<std::uint32_t, kPart / 2>;
    struct Pairs {
        Term terms[kTerms];
    };

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
                to.at(thread, k) = bias_of(thread, k) + sums.total(thread, first + k);
        });
    }
    /// to = sums from `first` on + bias; these are 0 then.
    template <typename RowSums>
    LOSSMAP_HD void take(Part& to, RowSums& sums, int first) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k) {
                to.at(thread, k) = sums.total(thread, first + k) + bias_of(thread, k);
                sums.clear(group_, thread, first + k, to.at(thread, k));
            }
        });
    }
    /// to = from + a part of sums.
    template <int kIndex, typename RowSums>
    LOSSMAP_HD void add(Part& to, const Part& from, const RowSums& sums) const {
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart; ++k)
                to.at(thread, k) = from.at(thread, k) + sums.total(thread, kIndex * kPart + k);
        });
    }

    /// sums = input row `row` x weights in some steps, as many columns as there are sums, from a block of taps on; or
    /// += where `add`.
    template <typename RowSums>
    LOSSMAP_HD void products(RowSums& sums, int row, int block, int first_step, int end_step, bool add) {
        const MatrixDescriptor pixels = first_row_.moved(row * Shape::kRowBytes);
        LOSSMAP_UNROLL
        for (int step = first_step; step < end_step; ++step)
            sums.multiply(group_, pixels.moved(Shape::pixel_distance(step)),
                          weights_.moved(Shape::weight_distance(step, block)), add || step > 0);
    }

    /// What is added to an output row, where something is. In registers long before it is wanted: between stores each
    /// load would wait.
    LOSSMAP_HD void load_residual(Pairs& pairs, int row) {
        if constexpr (kAdds) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kTerms * kPart / 2; k += 4)
                group_.load_matrices(pairs.terms[k / (kPart / 2)], k % (kPart / 2), added_, place_of(row, k));
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
        if constexpr (kTerms == 1) {
            round(residual.terms[0], sums);
            look(residual.terms[0]);
        } else {
            split(residual, sums);
        }
        store(row, residual);
    }

    Group& group_;

private:
    /// Bytes from where a thread's first row of matrices stands to where its pairs k .. do, of all terms.
    LOSSMAP_HD static constexpr int place_of(int row, int k) {
        return row * Shape::kRowBytes + k % (kPart / 2) / 2 * Shape::kPlaneBytes + k / (kPart / 2) * Shape::kLowPixels;
    }
    /// pairs = sums, and what is added to them, rounded.
    LOSSMAP_HD void round(Term& pairs, const Part& sums) const {
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
    /// Overflow and ReLU of what has been rounded.
    LOSSMAP_HD void look(Term& pairs) {
        const std::uint32_t floor = stage_floor((kind_ & kStageRelu) != 0);
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), pairs.at(thread, k));
                pairs.at(thread, k) = larger_halves(pairs.at(thread, k), floor);
            }
        });
    }
    /// Halves of sums, and what is added to them, behind the ReLU.
    LOSSMAP_HD void split(Pairs& pairs, const Part& sums) {
        const float floor = lowest((kind_ & kStageRelu) != 0);
        group_.each_thread([&](int thread) {
            float largest = magnitude_of(state_.largest.at(thread, 0));
            LOSSMAP_UNROLL
            for (int k = 0; k < kPart / 2; ++k) {
                float values[2];
                LOSSMAP_UNROLL
                for (int e = 0; e < 2; ++e) {
                    values[e] = sums.at(thread, 2 * k + e);
                    if constexpr (kAdds)
                        values[e] += joined(half_number(pairs.terms[0].at(thread, k), e),
                                            half_number(pairs.terms[kTerms - 1].at(thread, k), e));
                    values[e] = larger_number(values[e], floor);
                    largest = larger_number(largest, std::fabs(values[e]));
                }
                const SplitPair halves = split_pair(values[0], values[1]);
                pairs.terms[0].at(thread, k) = halves.high;
                pairs.terms[kTerms - 1].at(thread, k) = halves.low;
            }
            state_.largest.at(thread, 0) = magnitude_bits(largest);
        });
    }
    /// Stores one output row.
    LOSSMAP_HD void store(int row, const Pairs& pairs) {
        LOSSMAP_UNROLL
        for (int k = 0; k < kTerms * kPart / 2; k += 4)
            group_.store_matrices(pairs.terms[k / (kPart / 2)], k % (kPart / 2), stored_, place_of(row, k));
        if (Shape::kHalo > 0 && (row == 0 || row == Shape::kBandRows - 1)) store_copy(begin_ + row, pairs);
    }
    /// The neighbouring half's copy of a row.
    LOSSMAP_HD void store_copy(int y, const Pairs& pairs) {
        group_.each_thread([&](int thread) {
            const GroupSumPlace place = group_sum_place(group_.settled(thread), 0);
            const int distance = Shape::copy_distance(place.row % Shape::kSlots, y);
            if (distance == 0) return;
            int to = target_ + Shape::cell_offset(0, y, 0) + distance + place.row * 16 + place.column * 2;
            if constexpr (Shape::kFilterGroups > 1)
                to += group_.index / Shape::kBands * Shape::kGroupFilters / 8 * Shape::kPlaneBytes;
            LOSSMAP_UNROLL
            for (int k = 0; k < kTerms * kPart / 2; ++k)
                group_.store(to + place_of(0, k) + k % 2 * 128,
                             pairs.terms[k / (kPart / 2)].at(thread, k % (kPart / 2)));
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
    typename Group::template Registers<float, kPart / 2>
        bias_;  ///< of the filters of registers 4 k to 4 k + 3 of sums, twice
};

}  // namespace lossmap::kernels
