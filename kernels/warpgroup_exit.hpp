#pragma once

#include <cstdint>

#include "kernels/half_pair.hpp"
#include "kernels/stage_args.hpp"
#include "kernels/warpgroup_layer.hpp"
#include "kernels/warpgroup_shape.hpp"

namespace lossmap::kernels {

/// The way out of a stage: kChannels filters of a convolution with stride 2 over 64 pixels of the result. Every second
/// pixel is no operand that a descriptor could name: pixels come from registers. What is written is not read by
/// products, so that it may stand densely.
template <typename Shape, typename Group>
class WarpgroupExit {
    static constexpr int kSums = Shape::kChannels / 2;
    static constexpr int kUnits = Shape::kExitUnits / Shape::kWarpgroups;  ///< of a warpgroup
    using Sums = typename Group::template Registers<float, kSums>;

public:
    /// @param part    which kChannels of the filters
    /// @param tensor  0: the 3x3 convolution; 1: the 1x1 one of the shortcut
    LOSSMAP_HD WarpgroupExit(const StageArgs& args, Group& group, WarpgroupState<Group>& state, int part, int tensor,
                             int block)
        : args_(args),
          group_(group),
          state_(state),
          part_(part),
          tensor_(tensor),
          weights_(group.operand(Shape::weights(block % Shape::kWeightBuffers, 0, 0, 0))),
          source_(args.layers % 2 * Shape::kBufferBytes),
          target_(Shape::kBufferBytes - source_) {}

    LOSSMAP_HD void run(const float* bias) {
        Sums sums[kUnits];
        if constexpr (Shape::kPair == 2) {
            group_.begin();
            if (tensor_ == 1)
                rows<1, 1, 1, 1>(sums);
            else
                rows<0, 2, 0, 2>(sums);
            group_.commit();
        } else if (tensor_ == 1) {
            taps<1, 1>(sums, 1, false);
        } else {
            for (int y = 0; y < 3; ++y)
                taps<0, 2>(sums, y, y > 0);
        }
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            group_.finish(sums[k]);
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            store(sums[k], bias, unit(k));
    }

private:
    /// Units are independent: they run together.
    [[nodiscard]] LOSSMAP_HD int unit(int k) const { return group_.index + k * Shape::kWarpgroups; }

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

    /// Pixels from registers: horizontal taps kFirst to kLast of one row of taps; sums = what they give, or +=.
    template <int kFirst, int kLast>
    LOSSMAP_HD void taps(Sums (&sums)[kUnits], int tap_y, bool add) {
        constexpr int kProducts = (kLast + 1 - kFirst) * Shape::kChunks;
        // Together: what a product reads must not change before it is done.
        typename Group::template Registers<std::uint32_t, 4 * kProducts * kUnits> pixels;
        LOSSMAP_UNROLL
        for (int k = 0; k < kProducts * kUnits; ++k)
            load(pixels, unit(k / kProducts), tap_y, kFirst + k % kProducts / Shape::kChunks, k % Shape::kChunks, k);
        group_.begin();
        LOSSMAP_UNROLL
        for (int k = 0; k < kProducts * kUnits; ++k) {
            const int step = Shape::step_of(kFirst + k % kProducts / Shape::kChunks, k % Shape::kChunks);
            group_.multiply(sums[k / kProducts], pixels, 4 * k,
                            weights_.moved(Shape::weight_distance(step, Shape::tap_block(tap_y))),
                            add || k % kProducts > 0);
        }
        group_.commit();
        LOSSMAP_UNROLL
        for (int k = 0; k < kUnits; ++k)
            group_.finish(sums[k]);
    }

    /// A tap's pixels, 16 channels: into the registers of product `index`.
    template <typename Pixels>
    LOSSMAP_HD void load(Pixels& pixels, int unit, int tap_y, int tap_x, int chunk, int index) {
        typename Group::template Registers<int, 1> rows;
        group_.each_thread([&](int thread) {
            const int matrix = thread % 32 / 8;
            const auto pixel = Shape::exit_pixel(unit, thread / 32 * 16 + matrix % 2 * 8 + thread % 8);
            rows.at(thread, 0) = source_ + Shape::exit_source(pixel, tap_y, tap_x, 2 * chunk + matrix / 2);
        });
        group_.load_matrices(pixels, 4 * index, rows, 0);
    }

    LOSSMAP_HD void store(const Sums& sums, const float* bias, int unit) {
        const std::uint32_t floor = stage_floor(tensor_ == 0 && args_.exit_relu);
        group_.each_thread([&](int thread) {
            LOSSMAP_UNROLL
            for (int k = 0; k < kSums; k += 2) {
                const GroupSumPlace place = group_sum_place(thread, k);
                const int plane = part_ * Shape::kChannelPlanes + k / 4;
                if (plane * 8 >= args_.exit_channels) continue;
                const auto pixel = Shape::exit_pixel(unit, place.row);
                const int y = Shape::half_of(pixel.slot) * Shape::kExitSlotRows + pixel.y;
                const std::uint32_t rounded = pack_halves(sums.at(thread, k) + bias[place.column],
                                                          sums.at(thread, k + 1) + bias[place.column + 1]);
                state_.largest.at(thread, 0) = larger_magnitudes(state_.largest.at(thread, 0), rounded);
                group_.store(target_ +
                                 Shape::exit_offset(tensor_, plane, Shape::image_of(pixel.slot),
                                                    y * Shape::kExitSide + pixel.x) +
                                 place.column % 8 * 2,
                             larger_halves(rounded, floor));
            }
        });
    }

    const StageArgs& args_;
    Group& group_;
    WarpgroupState<Group>& state_;
    int part_;
    int tensor_;
    MatrixDescriptor weights_;
    int source_;
    int target_;
};

}  // namespace lossmap::kernels
