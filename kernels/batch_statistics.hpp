#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/block_rows.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// A batch normalisation in training mode, for `batch_norm` to apply: mean and variance of the batch itself, a channel
/// of [samples, channels, inner] each, fp64 in two passes. scale = gamma / sqrt(biased variance + epsilon), shift =
/// beta - mean * scale. What is handed out is the unbiased variance (divided by n - 1), as PyTorch keeps it.
struct BatchStatisticsArgs {
    Input in;
    Input gamma;                 ///< [channels]; null data: 1
    Input beta;                  ///< [channels]; null data: 0
    double* mean = nullptr;      ///< [points, channels], `statistics_point_stride` apart
    double* variance = nullptr;  ///< likewise
    double* scale = nullptr;     ///< [points, channels], `factor_point_stride` apart
    double* shift = nullptr;
    std::int64_t statistics_point_stride = 0;
    std::int64_t factor_point_stride = 0;
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t channels = 1;
    std::int64_t inner = 1;
    double epsilon = 1e-5;
};

/// A block has kChannels channels, neighbouring threads different ones: 32 where channels lie side by side, else 1.
template <int kChannels>
struct BatchStatistics {
    static constexpr int kThreads = kRowThreads;
    static constexpr int kLanes = kThreads / kChannels;
    static constexpr int kTreeSteps = kChannels == 1 ? 8 : 3;
    static_assert(kLanes == 1 << kTreeSteps);
    struct Shared {
        double sum[kThreads];
    };
    struct Thread {
        double mean = 0.0;
    };

    BatchStatisticsArgs args;
    FastExtent inner;

    LOSSMAP_HD int phases() const { return 2 * kTreeSteps + 4; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread& state) const {
        const std::int64_t channel = block * kChannels + thread % kChannels;
        if (channel >= args.channels) return;
        const double count = static_cast<double>(args.samples * args.inner);
        const double* total = shared.sum + thread % kChannels;  // once the lanes have been added
        if (phase == 0) {
            shared.sum[thread] = partial_sum(point, channel, thread, 0.0, false);
        } else if (phase <= kTreeSteps) {
            tree_step(shared.sum, thread, phase - 1);
        } else if (phase == kTreeSteps + 1) {
            state.mean = *total / count;
        } else if (phase == kTreeSteps + 2) {
            shared.sum[thread] = partial_sum(point, channel, thread, state.mean, true);
        } else if (phase <= 2 * kTreeSteps + 2) {
            tree_step(shared.sum, thread, phase - kTreeSteps - 3);
        } else if (thread < kChannels) {
            write(point, channel, state.mean, *total, count);
        }
    }

private:
    LOSSMAP_HD static void tree_step(double* partial, int thread, int step) {
        const int offset = kLanes >> (step + 1);
        if (thread / kChannels < offset) partial[thread] += partial[thread + offset * kChannels];
    }

    LOSSMAP_HD double partial_sum(std::int64_t point, std::int64_t channel, int thread, double mean,
                                  bool squares) const {
        const std::int64_t base = point * args.in.point_stride + channel * args.inner;
        double sum = 0.0;
        for (std::int64_t k = thread / kChannels; k < args.samples * args.inner; k += kLanes) {
            std::int64_t sample = k;
            const std::int64_t i = inner.take(sample);
            const double distance = static_cast<double>(load_float(args.in.data, args.in.type,
                                                                   base + sample * args.channels * args.inner + i)) -
                                    mean;
            sum += squares ? distance * distance : distance;
        }
        return sum;
    }

    LOSSMAP_HD void write(std::int64_t point, std::int64_t channel, double mean, double squares, double count) const {
        const auto factor = [&](const Input& operand, double absent) {
            if (operand.data == nullptr) return absent;
            return static_cast<double>(load_float(operand.data, operand.type, point * operand.point_stride + channel));
        };
        const std::int64_t statistic = point * args.statistics_point_stride + channel;
        args.mean[statistic] = mean;
        args.variance[statistic] = squares / (count - 1.0);
        const double scale = factor(args.gamma, 1.0) / std::sqrt(squares / count + args.epsilon);
        const std::int64_t at = point * args.factor_point_stride + channel;
        args.scale[at] = scale;
        args.shift[at] = factor(args.beta, 0.0) - mean * scale;
    }
};

template <typename Launch>
void launch_batch_statistics(const BatchStatisticsArgs& args, const Launch& launch) {
    if (!is_float_storage(args.in.type)) refuse("batch_statistics", "element type", static_cast<int>(args.in.type));
    const FastExtent inner(args.inner, is_narrow(args.samples * args.inner));
    if (args.inner == 1) return launch.blocks(args.points, (args.channels + 31) / 32, BatchStatistics<32>{args, inner});
    launch.blocks(args.points, args.channels, BatchStatistics<1>{args, inner});
}

}  // namespace lossmap::kernels
