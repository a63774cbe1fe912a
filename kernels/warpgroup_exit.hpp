#pragma once

#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/warpgroup_rows.hpp"
#include "kernels/warpgroup_shape.hpp"

namespace lossmap::kernels {

/// The way out of a stage: kChannels filters of a convolution with stride 2 over 64 pixels of the result. Where every
/// second pixel is no operand that a descriptor could name, pixels come from registers. What is written is not read by
/// products, so that it may stand densely.
template <typename Shape, typename Group>
class WarpgroupExit {
    static constexpr int kSums = Shape::kChannels / 2;
    static constexpr int kUnits = Shape::kExitUnits / Shape::kWarpgroups;  ///< of a warpgroup
    using Sums = typename Group::template Registers<float, kSums>;
    using Places = typename Group::template Registers<int, 1>;

    // A thread's places in units, sums and taps are these bytes apart: addresses are computed once.
    static constexpr int kUnitPixels = 64 / Shape::kSlots;           ///< of a slot
    static constexpr int kApart = Shape::kWarpgroups * kUnitPixels;  ///< pixels from one of its units to the next
    static constexpr int kReadApart = 2 * kApart / Shape::kExitSide * Shape::kRowBytes;
    static constexpr int kPixelBytes = Shape::kImages * 16;  ///< from a written pixel to the next one
    static constexpr int kPlaneBytes = Shape::kExitPixels * kPixelBytes;
    static_assert(kApart % Shape::kExitSide == 0 && 8 % Shape::kSlots == 0);

public:
    /// @param part    which kChannels of the filters
    /// @param tensor  0: the 3x3 convolution; 1: the 1x1 one of the shortcut
    /// @param block   of weights
    /// @param buffer  that is read
    LOSSMAP_HD WarpgroupExit(const StageArgs& args, Group& group, WarpgroupState<Group>& state, int part, int tensor,
                             int block, int buffer)
        : args_(args),
          group_(group),
          state_(state),
          part_(part),
          tensor_(tensor),
          weights_(group.operand(Shape::weights(block % Shape::kWeightBuffers, 0, 0, 0))),
          source_(buffer * Shape::kBufferBytes),
          target_(Shape::kBufferBytes - source_) {}

    LOSSMAP_HD void run(const float* bias) {
        prepare(bias);
        Sums sums[kUnits];
        if constexpr (Shape::kPair == 2) {
            group_.begin();
            if (tensor_ == 1)
                rows<1, 1, 1, 1>(sums);
            else
                rows<0, 2, 0, 2>(sums);
            group_.commit();
        } else if (tensor_ == 1) {
            taps<1, 1, 1>(sums);
        } else {
            taps<0, 0, 2>(sums);
            taps<1, 0, 2>(sums);
            taps<2, 0, 2>(sums);
        }
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            group_.template finish<0>(sums[k]);
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            store(sums[k], k);
    }

private:
    /// Units are independent: they run together.
    [[nodiscard]] LOSSMAP_HD int unit(int k) const { return group_.index + k * Shape::kWarpgroups; }

    LOSSMAP_HD void prepare(const float* bias) {
        group_.each_thread([&](int each) {
            const int thread = group_.settled(each);
            const GroupSumPlace place = group_sum_place(thread, 0);
            const auto written = Shape::exit_pixel(unit(0), place.row);
            const int y = Shape::half_of(written.slot) * Shape::kExitSlotRows + written.y;
            stored_.at(each, 0) = target_ + place.column * 2 +
                                  Shape::exit_offset(tensor_, part_ * Shape::kChannelPlanes,
                                                     Shape::image_of(written.slot), y * Shape::kExitSide + written.x);
            LOSSMAP_UNROLL
            for (int k = 0; k < kSums / 2; ++k)
                bias_.at(each, k) = bias[k / 2 * 8 + place.column + k % 2];
            if constexpr (Shape::kPair == 1) {
                const int matrix = thread % 32 / 8;
                const auto read = Shape::exit_pixel(unit(0), thread / 32 * 16 + matrix % 2 * 8 + thread % 8);
                middle_.at(each, 0) = source_ + Shape::exit_source(read, 1, 1, matrix / 2);
                LOSSMAP_UNROLL
                for (int x = 0; x < 3; ++x)
                    above_[x].at(each, 0) = source_ + Shape::exit_source(read, 0, x, matrix / 2);
            }
        });
    }

    /// Pairs make every second pixel an operand: taps of a range of rows and columns.
    template <int kFirstY, int kLastY, int kFirstX, int kLastX>
    LOSSMAP_HD void rows(Sums (&sums)[kUnits]) {
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k) {
            LOSSMAP_UNROLL
            for (int y = kFirstY; y <= kLastY; ++y) {
                const MatrixDescriptor row = group_.operand(Shape::pixels(source_, 2 * unit(k) + y - 1, 0));
                LOSSMAP_UNROLL
                for (int x = kFirstX; x <= kLastX; ++x)
                    group_.multiply(sums[k], row.moved(Shape::pixel_distance(Shape::step_of(x, 0))),
                                    weights_.moved(Shape::weight_distance(Shape::step_of(x, 0), Shape::tap_block(y))),
                                    y > kFirstY || x > kFirstX);
            }
        }
    }

    /// Pixels from registers: horizontal taps kFirst to kLast of one row of taps; sums = what they give, or += behind
    /// row 0.
    template <int kTapY, int kFirst, int kLast>
    LOSSMAP_HD void taps(Sums (&sums)[kUnits]) {
        constexpr int kProducts = (kLast + 1 - kFirst) * Shape::kChunks;
        // Together: what a product reads must not change before it is done.
        typename Group::template Registers<std::uint32_t, 4 * kProducts * kUnits> pixels;
        LOSSMAP_UNROLL
        for (int k = 0; k < kProducts * kUnits; ++k)
            load<kTapY>(pixels, k / kProducts, kFirst + k % kProducts / Shape::kChunks, k % Shape::kChunks, k);
        group_.begin();
        LOSSMAP_UNROLL
        for (int k = 0; k < kProducts * kUnits; ++k) {
            const int step = Shape::step_of(kFirst + k % kProducts / Shape::kChunks, k % Shape::kChunks);
            group_.multiply(sums[k / kProducts], pixels, 4 * k,
                            weights_.moved(Shape::weight_distance(step, Shape::tap_block(kTapY))),
                            (kFirst == 0 && kTapY > 0) || k % kProducts > 0);
        }
        group_.commit();
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            group_.template finish<0>(sums[k]);
    }

    /// A tap's pixels, 16 channels, of the warpgroup's k-th unit: into the registers of product `index`.
    template <int kTapY, typename Pixels>
    LOSSMAP_HD void load(Pixels& pixels, int k, int tap_x, int chunk, int index) {
        const int planes = 2 * chunk * Shape::kPlaneBytes;
        // Above an image, which only a first unit's pixels may reach, stand zeros for all of a row's taps.
        if (kTapY == 0 && k == 0)
            group_.load_matrices(pixels, 4 * index, above_[tap_x], planes);
        else
            group_.load_matrices(
                pixels, 4 * index, middle_,
                planes + k * kReadApart + (kTapY - 1) * Shape::kRowBytes + (tap_x - 1) * Shape::kCellBytes);
    }

    LOSSMAP_HD void store(const Sums& sums, int unit) {
        const std::uint32_t floor = stage_floor(tensor_ == 0 && args_.exit_relu);
        LOSSMAP_UNROLL
        for (int plane = 0; plane < kSums / 4; ++plane) {
            if ((part_ * Shape::kChannelPlanes + plane) * 8 >= args_.exit_channels) continue;
            group_.each_thread([&](int thread) {
                LOSSMAP_UNROLL
                for (int rows = 0; rows < 2; ++rows) {
                    const int k = plane * 4 + rows * 2;
                    const std::uint32_t rounded = pack_halves(sums.at(thread, k) + bias_.at(thread, plane * 2),
                                                              sums.at(thread, k + 1) + bias_.at(thread, plane * 2 + 1));
                    state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), rounded);
                    group_.store(stored_.at(thread, 0) + plane * kPlaneBytes +
                                     (unit * kApart + rows * 8 / Shape::kSlots) * kPixelBytes,
                                 larger_halves(rounded, floor));
                }
            });
        }
    }

    const StageArgs& args_;
    Group& group_;
    WarpgroupState<Group>& state_;
    int part_;
    int tensor_;
    MatrixDescriptor weights_;
    int source_;
    int target_;
    Places stored_;    ///< where a thread's first sums belong
    Places middle_;    ///< its row of pixels of the first unit, middle tap
    Places above_[3];  ///< .. taps of the row above it
    typename Group::template Registers<float, kSums / 2>
        bias_;  ///< of the filters of registers 4 k and 4 k + 1 of sums
};

}  // namespace lossmap::kernels
