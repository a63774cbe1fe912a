#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/block_rows.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

enum class SoftmaxKind : std::uint8_t { softmax, log_softmax, hardmax };

/// Along the middle of [outer, count, inner]; `out` may be `in`.
struct SoftmaxArgs {
    SoftmaxKind kind = SoftmaxKind::softmax;
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
};

/// Elements of one row.
struct SoftmaxRow {
    Input in;
    Output out;
    std::int64_t in_base, out_base, step;

    LOSSMAP_HD SoftmaxRow(const SoftmaxArgs& args, std::int64_t point, std::int64_t row)
        : in(args.in), out(args.out), step(args.inner) {
        // Rows outnumber 2^31 only beyond any memory: 32-bit division.
        const auto inner = static_cast<std::uint32_t>(args.inner);
        const auto flat = static_cast<std::uint32_t>(row);
        const std::int64_t base = static_cast<std::int64_t>(flat / inner) * args.count * args.inner + flat % inner;
        in_base = point * args.in.point_stride + base;
        out_base = point * args.out.point_stride + base;
    }
    [[nodiscard]] LOSSMAP_HD float at(std::int64_t k) const { return load_float(in.data, in.type, in_base + k * step); }
    LOSSMAP_HD void put_at(std::int64_t k, float value) const {
        store_float(out.data, out.type, out_base + k * step, value);
    }
};

/// The larger of two; NaN wins.
struct LargerFloat {
    LOSSMAP_HD float operator()(float a, float b) const { return b > a || b != b ? b : a; }
};

/// One result from what the row is: e^(x - largest) / sum, rounded as the host's operator rounds it.
LOSSMAP_HD inline float softmax_value(SoftmaxKind kind, float x, float largest, double sum) {
    if (kind == SoftmaxKind::softmax) return std::exp(x - largest) * static_cast<float>(1.0 / sum);
    return (x - largest) - static_cast<float>(std::log(sum));
}
/// log_softmax takes its exponentials in fp64, as the host's operator does.
LOSSMAP_HD inline double softmax_term(SoftmaxKind kind, float x, float largest) {
    return kind == SoftmaxKind::softmax ? static_cast<double>(std::exp(x - largest))
                                        : std::exp(static_cast<double>(x - largest));
}

/// One thread a row.
struct SoftmaxThread {
    SoftmaxArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const SoftmaxRow row(args, point, index);
        if (args.kind == SoftmaxKind::hardmax) return mark_largest(row);
        float largest = -HUGE_VALF;
        for (std::int64_t k = 0; k < args.count; ++k)
            largest = LargerFloat{}(largest, row.at(k));
        double sum = 0.0;
        for (std::int64_t k = 0; k < args.count; ++k)
            sum += softmax_term(args.kind, row.at(k), largest);
        for (std::int64_t k = 0; k < args.count; ++k)
            row.put_at(k, softmax_value(args.kind, row.at(k), largest, sum));
    }

private:
    /// hardmax: 1 at the first largest element, 0 elsewhere.
    LOSSMAP_HD void mark_largest(const SoftmaxRow& row) const {
        std::int64_t best = 0;
        float largest = row.at(0);
        for (std::int64_t k = 1; k < args.count; ++k) {
            const float x = row.at(k);
            if (!(x > largest)) continue;
            largest = x;
            best = k;
        }
        for (std::int64_t k = 0; k < args.count; ++k)
            row.put_at(k, k == best ? 1.0F : 0.0F);
    }
};

/// kLanes threads a row.
template <int kLanes>
struct SoftmaxBlock {
    using Rows = RowBlock<kLanes>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        float largest[kRowThreads];
        double sum[kRowThreads];
    };
    struct Thread {};

    SoftmaxArgs args;

    LOSSMAP_HD int phases() const { return 2 * Rows::kTreeSteps + 3; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread&) const {
        const std::int64_t index = Rows::row_of(block, thread);
        if (index >= args.outer * args.inner) return;
        constexpr int kSteps = Rows::kTreeSteps;
        const int result = Rows::result_of(thread);
        if (phase > 0 && phase <= kSteps) return Rows::tree_step(shared.largest, thread, phase - 1, LargerFloat{});
        if (phase > kSteps + 1 && phase <= 2 * kSteps + 1)
            return Rows::tree_step(shared.sum, thread, phase - kSteps - 2, Sum{});
        const SoftmaxRow row(args, point, index);
        const int lane = Rows::lane_of(thread);
        if (phase == 0) {
            float largest = -HUGE_VALF;
            for (std::int64_t k = lane; k < args.count; k += kLanes)
                largest = LargerFloat{}(largest, row.at(k));
            shared.largest[thread] = largest;
        } else if (phase == kSteps + 1) {
            double sum = 0.0;
            for (std::int64_t k = lane; k < args.count; k += kLanes)
                sum += softmax_term(args.kind, row.at(k), shared.largest[result]);
            shared.sum[thread] = sum;
        } else {
            for (std::int64_t k = lane; k < args.count; k += kLanes)
                row.put_at(k, softmax_value(args.kind, row.at(k), shared.largest[result], shared.sum[result]));
        }
    }
};

template <typename Launch>
void launch_softmax(const SoftmaxArgs& args, const Launch& launch) {
    if (!is_float_storage(args.in.type) || !is_float_storage(args.out.type))
        refuse("softmax", "element type", static_cast<int>(args.in.type));
    const std::int64_t rows = args.outer * args.inner;
    if (args.count == 0) return;
    if (!is_narrow(rows)) refuse("softmax", "too many rows", rows);
    // Neighbouring threads read neighbouring rows where the rows are interleaved.
    if (args.kind == SoftmaxKind::hardmax || args.inner > 1 || args.count < kFewElements)
        return launch.items(args.points, rows, SoftmaxThread{args});
    if (args.count < kManyElements)
        return launch.blocks(args.points, RowBlock<32>::blocks_of(rows), SoftmaxBlock<32>{args});
    launch.blocks(args.points, RowBlock<256>::blocks_of(rows), SoftmaxBlock<256>{args});
}

}  // namespace lossmap::kernels
