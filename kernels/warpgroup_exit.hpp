#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/warpgroup_rows.hpp"
#include "kernels/warpgroup_shape.hpp"
#include "kernels/warpgroup_sums.hpp"

namespace lossmap::kernels {

/// The way out of a stage: kChannels filters of a convolution with stride 2 over 64 pixels of the result. Where every
/// second pixel is no operand that a descriptor could name, pixels come from registers.
template <typename Shape, typename Group>
class WarpgroupExitSums {
protected:
    static constexpr int kSums = Shape::kGroupFilters / Shape::kPair / 2;
    static constexpr int kUnits = Shape::kExitUnits / Shape::kBands;  ///< of a warpgroup
    using Sums = WarpgroupSums<Shape, Group, kSums>;
    using Places = typename Group::template Registers<int, 1>;

    // A thread's places in units, sums and taps are these bytes apart: addresses are computed once.
    static constexpr int kUnitPixels = 64 / Shape::kSlots;      ///< of a slot
    static constexpr int kApart = Shape::kBands * kUnitPixels;  ///< pixels from one of its units to the next
    static constexpr int kReadApart = 2 * kApart / Shape::kExitSide * Shape::kRowBytes;
    static_assert(kApart % Shape::kExitSide == 0 && 8 % Shape::kSlots == 0);

public:
    /// @param part    which kChannels of the filters
    /// @param tensor  0: the 3x3 convolution; 1: the 1x1 one of the shortcut
    /// @param block   of weights
    /// @param buffer  that is read
    LOSSMAP_HD WarpgroupExitSums(const StageArgs& args, Group& group, WarpgroupState<Group>& state, int part,
                                 int tensor, int block, int buffer)
        : args_(args),
          group_(group),
          state_(state),
          part_(part),
          tensor_(tensor),
          source_(buffer * Shape::kBufferBytes),
          weights_(group.operand(Shape::weights(block % Shape::kWeightBuffers, filter_group(), 0, 0))) {}

protected:
    /// What a thread reads.
    LOSSMAP_HD void prepare(const float* bias) {
        group_.each_thread([&](int each) {
            const int thread = group_.settled(each);
            LOSSMAP_UNROLL
            for (int k = 0; k < kSums / 2; ++k)
                bias_.at(each, k) =
                    bias[filter_group() * Shape::kGroupFilters + k / 2 * 8 + group_sum_place(thread, 0).column + k % 2];
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

    /// Computes all units together: they are independent.
    LOSSMAP_HD void sum(Sums (&sums)[kUnits]) {
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
            sums[k].template finish<0>(group_);
    }

    /// A sum and its bias.
    LOSSMAP_HD float value(const Sums& sums, int thread, int k) const {
        return sums.total(thread, k) + bias_.at(thread, k / 4 * 2 + k % 2);
    }
    [[nodiscard]] LOSSMAP_HD int unit(int k) const {
        return (Shape::kBands == Shape::kWarpgroups ? group_.index : group_.index % Shape::kBands) + k * Shape::kBands;
    }
    [[nodiscard]] LOSSMAP_HD int filter_group() const {
        if constexpr (Shape::kFilterGroups == 1) return 0;
        return group_.index / Shape::kBands;
    }
    /// First of the 8 filters of one of the warpgroup's planes.
    [[nodiscard]] LOSSMAP_HD int filter(int plane) const {
        return part_ * Shape::kChannels + filter_group() * Shape::kGroupFilters + plane * 8;
    }

    const StageArgs& args_;
    Group& group_;
    WarpgroupState<Group>& state_;
    int part_;
    int tensor_;
    int source_;

private:
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
                    sums[k].multiply(group_, row.moved(Shape::pixel_distance(Shape::step_of(x, 0))),
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
        typename Group::template Registers<std::uint32_t, 4 * kProducts * kUnits> pixels[Shape::kTerms];
        LOSSMAP_UNROLL
        for (int k = 0; k < kProducts * kUnits; ++k) {
            LOSSMAP_UNROLL
            for (int term = 0; term < Shape::kTerms; ++term)
                load<kTapY>(pixels[term], k / kProducts, kFirst + k % kProducts / Shape::kChunks, k % Shape::kChunks, k,
                            term * Shape::kLowPixels);
        }
        group_.begin();
        LOSSMAP_UNROLL
        for (int k = 0; k < kProducts * kUnits; ++k) {
            const int step = Shape::step_of(kFirst + k % kProducts / Shape::kChunks, k % Shape::kChunks);
            sums[k / kProducts].multiply(group_, pixels, 4 * k,
                                         weights_.moved(Shape::weight_distance(step, Shape::tap_block(kTapY))),
                                         (kFirst == 0 && kTapY > 0) || k % kProducts > 0);
        }
        group_.commit();
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            sums[k].template finish<0>(group_);
    }

    /// A tap's pixels, 16 channels, of the warpgroup's k-th unit: into the registers of product `index`.
    /// @param term  bytes from high terms to those that are loaded
    template <int kTapY, typename Pixels>
    LOSSMAP_HD void load(Pixels& pixels, int k, int tap_x, int chunk, int index, int term) {
        const int planes = 2 * chunk * Shape::kPlaneBytes + term;
        // Above an image, which only a first unit's pixels may reach, stand zeros for all of a row's taps.
        if (kTapY == 0 && k == 0)
            group_.load_matrices(pixels, 4 * index, above_[tap_x], planes);
        else
            group_.load_matrices(
                pixels, 4 * index, middle_,
                planes + k * kReadApart + (kTapY - 1) * Shape::kRowBytes + (tap_x - 1) * Shape::kCellBytes);
    }

    MatrixDescriptor weights_;
    Places middle_;    ///< its row of pixels of the first unit, middle tap
    Places above_[3];  ///< .. taps of the row above it
    typename Group::template Registers<float, kSums / 2>
        bias_;  ///< of the filters of registers 4 k and 4 k + 1 of sums
};

/// .. in fp16. What is written is not read by products, so that it may stand densely.
template <typename Shape, typename Group>
class WarpgroupExit : WarpgroupExitSums<Shape, Group> {
    using Base = WarpgroupExitSums<Shape, Group>;
    using Base::args_, Base::group_, Base::state_, Base::part_, Base::tensor_, Base::source_;
    using Base::kUnits, Base::kSums, Base::kApart, Base::unit;
    using typename Base::Places, typename Base::Sums;

    static constexpr int kPixelBytes = Shape::kImages * 16;  ///< from a written pixel to the next one
    static constexpr int kPlaneBytes = Shape::kExitPixels * kPixelBytes;

public:
    using Base::Base;

    LOSSMAP_HD void run(const float* bias) {
        prepare_stores();
        this->prepare(bias);
        Sums sums[kUnits];
        this->sum(sums);
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            store(sums[k], k);
    }

private:
    LOSSMAP_HD void prepare_stores() {
        group_.each_thread([&](int each) {
            const GroupSumPlace place = group_sum_place(group_.settled(each), 0);
            const auto written = Shape::exit_pixel(unit(0), place.row);
            const int y = Shape::half_of(written.slot) * Shape::kExitSlotRows + written.y;
            stored_.at(each, 0) = Shape::kBufferBytes - source_ + place.column * 2 +
                                  Shape::exit_offset(tensor_, part_ * Shape::kChannelPlanes,
                                                     Shape::image_of(written.slot), y * Shape::kExitSide + written.x);
        });
    }
    LOSSMAP_HD void store(const Sums& sums, int number) {
        const std::uint32_t floor = stage_floor(tensor_ == 0 && args_.exit_relu);
        LOSSMAP_UNROLL
        for (int plane = 0; plane < kSums / 4; ++plane) {
            if (this->filter(plane) >= args_.exit_channels) continue;
            group_.each_thread([&](int thread) {
                LOSSMAP_UNROLL
                for (int rows = 0; rows < 2; ++rows) {
                    const int k = plane * 4 + rows * 2;
                    const std::uint32_t rounded =
                        pack_halves(this->value(sums, thread, k), this->value(sums, thread, k + 1));
                    state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), rounded);
                    group_.store(stored_.at(thread, 0) + plane * kPlaneBytes +
                                     (number * kApart + rows * 8 / Shape::kSlots) * kPixelBytes,
                                 larger_halves(rounded, floor));
                }
            });
        }
    }

    Places stored_;  ///< where a thread's first sums belong
};

/// .. where numbers are two f16: results go to global memory as they are, 8 filters of a pixel are 32 bytes.
template <typename Shape, typename Group>
class WarpgroupSplitExit : WarpgroupExitSums<Shape, Group> {
    using Base = WarpgroupExitSums<Shape, Group>;
    using Base::args_, Base::group_, Base::state_, Base::tensor_;
    using Base::kUnits, Base::kSums, Base::kApart, Base::unit;
    using typename Base::Sums;

public:
    using Base::Base;

    /// @param first  sample of the tile
    LOSSMAP_HD void run(const float* bias, std::int64_t point, std::int64_t first) {
        this->prepare(bias);
        Sums sums[kUnits];
        this->sum(sums);
        store(sums, point, first);
    }

private:
    LOSSMAP_HD void store(const Sums (&sums)[kUnits], std::int64_t point, std::int64_t first) {
        const Output& out = tensor_ == 0 ? args_.exit : args_.shortcut;
        const float floor = lowest(tensor_ == 0 && args_.exit_relu);
        float* results = static_cast<float*>(out.data) + point * out.point_stride;
        group_.each_thread([&](int thread) {
            const GroupSumPlace place = group_sum_place(thread, 0);
            const auto written = Shape::exit_pixel(unit(0), place.row);
            const std::int64_t image = first + Shape::image_of(written.slot);
            if (image >= args_.samples) return;
            const int y = Shape::half_of(written.slot) * Shape::kExitSlotRows + written.y;
            float* target = results +
                            (image * Shape::kExitPixels + y * Shape::kExitSide + written.x) * args_.exit_channels +
                            this->filter(0) + place.column;
            float largest = magnitude_of(state_.largest.at(thread, 0));
            LOSSMAP_UNROLL
            for (int k = 0; k < kUnits * kSums; k += 2) {
                const int plane = k % kSums / 4, pixel = k / kSums * kApart + k / 2 % 2 * 8 / Shape::kSlots;
                if (this->filter(plane) >= args_.exit_channels) continue;
                Pack<float, 2> pair;
                LOSSMAP_UNROLL
                for (int e = 0; e < 2; ++e) {
                    pair.values[e] = larger_number(this->value(sums[k / kSums], thread, k % kSums + e), floor);
                    largest = larger_number(largest, std::fabs(pair.values[e]));
                }
                *reinterpret_cast<Pack<float, 2>*>(target + pixel * args_.exit_channels + plane * 8) = pair;
            }
            state_.largest.at(thread, 0) = magnitude_bits(largest);
        });
    }
};

}  // namespace lossmap::kernels
