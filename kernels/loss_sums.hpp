#pragma once

#include <cstdint>

#include "kernels/block_rows.hpp"
#include "kernels/loss_terms.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// LossSums of the interface, as the device writes them (the same fields in the same order).
struct DeviceLossSums {
    double loss_sum = 0.0;
    double loss_square_sum = 0.0;
    double weight_sum = 0.0;
    std::int64_t correct = 0;
    std::int64_t counted = 0;
    std::int64_t non_finite = 0;
    std::int64_t overflowed = 0;  ///< samples with `overflow` set
};

/// sums[point] = the terms of `samples` samples, added in a fixed order that depends on `samples` alone.
struct LossSumsArgs {
    const SampleLoss* terms = nullptr;
    std::int64_t terms_point_stride = 0;
    std::int64_t points = 0;
    std::int64_t samples = 0;
    DeviceLossSums* sums = nullptr;  ///< [points]
};

/// One block a point: each thread adds every 256th sample, then pairwise.
struct LossSumsBlock {
    using Rows = RowBlock<256>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        DeviceLossSums partial[kRowThreads];
    };
    struct Thread {};

    LossSumsArgs args;

    LOSSMAP_HD int phases() const { return Rows::kTreeSteps + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t, int thread, Shared& shared, Thread&) const {
        if (phase == 0) {
            DeviceLossSums sums;
            for (std::int64_t sample = thread; sample < args.samples; sample += kThreads)
                add(sums, args.terms[point * args.terms_point_stride + sample]);
            shared.partial[thread] = sums;
        } else if (phase <= Rows::kTreeSteps) {
            Rows::tree_step(shared.partial, thread, phase - 1, Join{});
        } else if (thread == 0) {
            args.sums[point] = shared.partial[0];
        }
    }

private:
    struct Join {
        LOSSMAP_HD DeviceLossSums operator()(DeviceLossSums a, const DeviceLossSums& b) const {
            a.loss_sum += b.loss_sum;
            a.loss_square_sum += b.loss_square_sum;
            a.weight_sum += b.weight_sum;
            a.correct += b.correct;
            a.counted += b.counted;
            a.non_finite += b.non_finite;
            a.overflowed += b.overflowed;
            return a;
        }
    };
    LOSSMAP_HD static void add(DeviceLossSums& sums, const SampleLoss& term) {
        sums.loss_sum += term.loss_sum;
        sums.loss_square_sum += term.loss_square_sum;
        sums.weight_sum += term.weight_sum;
        sums.correct += term.correct;
        sums.counted += term.counted;
        sums.non_finite += term.non_finite;
        sums.overflowed += term.overflow != 0 ? 1 : 0;
    }
};

template <typename Launch>
void launch_loss_sums(const LossSumsArgs& args, const Launch& launch) {
    launch.blocks(args.points, 1, LossSumsBlock{args});
}

}  // namespace lossmap::kernels
