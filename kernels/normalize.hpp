#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/block_rows.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Layer, RMS, instance and group normalisation: (x - mean) / sqrt(variance + epsilon) * scale + shift over groups of
/// elements, moments in fp64 in two passes (the variance is biased), rms: x / sqrt(mean of squares + epsilon).
///
/// The input is [samples, groups, group_channels, inner], or [samples, inner, groups, group_channels] with
/// channels_last; a group's statistics run over group_channels and inner. Scale and shift have one entry for
/// `channels_per_entry` channels, [groups * group_channels / channels_per_entry]. A layer norm of rows of `width`:
/// groups 1, group_channels width, inner 1, channels_per_entry 1.
struct NormalizeArgs {
    bool rms = false;
    Input in;
    Output out;
    Input scale;     ///< null data: 1
    Input shift;     ///< null data: 0
    Output mean;     ///< [samples, groups]; null data: not wanted
    Output inverse;  ///< 1 / sqrt(variance + epsilon), likewise
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t groups = 1;
    std::int64_t group_channels = 1;
    std::int64_t inner = 1;
    std::int64_t channels_per_entry = 1;
    bool channels_last = false;
    double epsilon = 1e-5;
    OverflowFlags overflow;
};

/// kLanes threads a group of one sample.
template <int kLanes>
struct NormalizeBlock {
    using Rows = RowBlock<kLanes>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        double sum[kRowThreads];
        double mean[kRowThreads];
    };
    struct Thread {};

    NormalizeArgs args;

    LOSSMAP_HD int phases() const { return 2 * Rows::kTreeSteps + 4; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread&) const {
        const std::int64_t row = Rows::row_of(block, thread);
        if (row >= args.samples * args.groups) return;
        constexpr int kSteps = Rows::kTreeSteps;
        const double width = static_cast<double>(args.group_channels * args.inner);
        const int result = Rows::result_of(thread);
        if (phase == 0) {
            shared.sum[thread] = args.rms ? 0.0 : partial_sum(point, row, thread, 0.0, false);
        } else if (phase <= kSteps) {
            Rows::tree_step(shared.sum, thread, phase - 1, Sum{});
        } else if (phase == kSteps + 1) {
            shared.mean[thread] = shared.sum[result] / width;
        } else if (phase == kSteps + 2) {
            shared.sum[thread] = partial_sum(point, row, thread, shared.mean[thread], true);
        } else if (phase <= 2 * kSteps + 2) {
            Rows::tree_step(shared.sum, thread, phase - kSteps - 3, Sum{});
        } else {
            const double inverse = 1.0 / std::sqrt(shared.sum[result] / width + args.epsilon);
            write(point, row, thread, shared.mean[thread], inverse);
        }
    }

private:
    /// Where element `k` of a row lies, and which channel of the sample it belongs to.
    struct Place {
        std::int64_t offset, channel;
    };
    LOSSMAP_HD Place place_of(std::int64_t row, std::int64_t k) const {
        const auto groups = static_cast<std::uint32_t>(args.groups);
        const std::int64_t sample = static_cast<std::uint32_t>(row) / groups;
        const std::int64_t group = static_cast<std::uint32_t>(row) % groups;
        const auto flat = static_cast<std::uint32_t>(k);
        const std::int64_t channels = args.groups * args.group_channels;
        if (args.channels_last) {
            const auto width = static_cast<std::uint32_t>(args.group_channels);
            const std::int64_t channel = group * args.group_channels + flat % width;
            return {(sample * args.inner + flat / width) * channels + channel, channel};
        }
        const std::int64_t channel = group * args.group_channels + flat / static_cast<std::uint32_t>(args.inner);
        return {(sample * channels + group * args.group_channels) * args.inner + k, channel};
    }

    LOSSMAP_HD double value_at(std::int64_t point, std::int64_t offset) const {
        return static_cast<double>(load_float(args.in.data, args.in.type, point * args.in.point_stride + offset));
    }

    LOSSMAP_HD double partial_sum(std::int64_t point, std::int64_t row, int thread, double mean, bool squares) const {
        double sum = 0.0;
        for (std::int64_t k = Rows::lane_of(thread); k < args.group_channels * args.inner; k += kLanes) {
            const double distance = value_at(point, place_of(row, k).offset) - mean;
            sum += squares ? distance * distance : distance;
        }
        return sum;
    }

    LOSSMAP_HD void write(std::int64_t point, std::int64_t row, int thread, double mean, double inverse) const {
        for (std::int64_t k = Rows::lane_of(thread); k < args.group_channels * args.inner; k += kLanes) {
            const Place place = place_of(row, k);
            const auto entry =
                static_cast<std::uint32_t>(place.channel) / static_cast<std::uint32_t>(args.channels_per_entry);
            double y = (value_at(point, place.offset) - mean) * inverse;
            if (args.scale.data != nullptr) y *= affine(args.scale, point, entry);
            if (args.shift.data != nullptr) y += affine(args.shift, point, entry);
            const auto rounded = static_cast<float>(y);
            flag_overflow(args.overflow, args.out.type, point, place.offset, rounded);
            store_float(args.out.data, args.out.type, point * args.out.point_stride + place.offset, rounded);
        }
        if (Rows::lane_of(thread) != 0) return;
        if (args.mean.data != nullptr) put_statistic(args.mean, point, row, mean);
        if (args.inverse.data != nullptr) put_statistic(args.inverse, point, row, inverse);
    }

    LOSSMAP_HD static double affine(const Input& factors, std::int64_t point, std::int64_t entry) {
        return static_cast<double>(load_float(factors.data, factors.type, point * factors.point_stride + entry));
    }
    LOSSMAP_HD static void put_statistic(const Output& out, std::int64_t point, std::int64_t row, double value) {
        store_float(out.data, out.type, point * out.point_stride + row, static_cast<float>(value));
    }
};

template <typename Launch>
void launch_normalize(const NormalizeArgs& args, const Launch& launch) {
    if (!is_float_storage(args.in.type) || !is_float_storage(args.out.type))
        refuse("normalize", "element type", static_cast<int>(args.in.type));
    const std::int64_t rows = args.samples * args.groups;
    const std::int64_t width = args.group_channels * args.inner;
    if (!is_narrow(rows) || !is_narrow(width)) refuse("normalize", "too many elements", rows);
    if (width < kManyElements)
        return launch.blocks(args.points, RowBlock<32>::blocks_of(rows), NormalizeBlock<32>{args});
    launch.blocks(args.points, RowBlock<256>::blocks_of(rows), NormalizeBlock<256>{args});
}

}  // namespace lossmap::kernels
