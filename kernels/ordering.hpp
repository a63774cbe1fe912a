#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/reduce.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// CumSum and CumProd along the middle of [outer, count, inner]; fp64 or 64-bit integers within.
struct CumulativeArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    bool product = false;
    bool exclusive = false;
    bool reverse = false;
};

/// TopK along the middle of [outer, count, inner]: values and i64 indices [outer, k, inner], in order, the lower index
/// first among equals; NaN counts as the largest.
struct TopKArgs {
    Input in;
    Output values;   ///< null data: not wanted
    Output indices;  ///< null data: not wanted
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    std::int64_t k = 1;
    bool largest = true;
};

/// One thread a row; `A` is fp64 or a 64-bit integer.
template <typename A, typename Compute>
struct Cumulative {
    CumulativeArgs args;
    FastExtent inner;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t i = inner.take(index);
        const std::int64_t base = index * args.count * args.inner + i;
        A total = args.product ? A{1} : A{0};
        for (std::int64_t k = 0; k < args.count; ++k) {
            const std::int64_t at = base + (args.reverse ? args.count - 1 - k : k) * args.inner;
            const auto x = static_cast<A>(load<Compute>(args.in.data, args.in.type, point * args.in.point_stride + at));
            const A next = args.product ? product_of(total, x) : sum_of(total, x);
            store(args.out.data, args.out.type, point * args.out.point_stride + at,
                  static_cast<Compute>(args.exclusive ? total : next));
            total = next;
        }
    }
};

template <typename Launch>
void launch_cumulative(const CumulativeArgs& args, const Launch& launch) {
    if (args.in.type != args.out.type) refuse("cumulative", "two element types", static_cast<int>(args.out.type));
    const std::int64_t rows = args.outer * args.inner;
    const FastExtent inner(args.inner, is_narrow(rows));
    if (is_float_storage(args.in.type)) return launch.items(args.points, rows, Cumulative<double, float>{args, inner});
    launch.items(args.points, rows, Cumulative<std::int64_t, std::int64_t>{args, inner});
}

/// One thread a row takes the next element in order k times: no storage beside the row.
template <typename Compute>
struct TopK {
    TopKArgs args;
    FastExtent inner;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t i = inner.take(index);
        const std::int64_t base = point * args.in.point_stride + index * args.count * args.inner + i;
        std::int64_t to = index * args.k * args.inner + i;
        std::int64_t previous = -1;
        for (std::int64_t taken = 0; taken < args.k; ++taken, to += args.inner) {
            std::int64_t best = -1;
            for (std::int64_t k = 0; k < args.count; ++k) {
                if (previous >= 0 && !precedes(base, previous, k)) continue;
                if (best < 0 || precedes(base, k, best)) best = k;
            }
            if (args.values.data != nullptr)
                store(args.values.data, args.values.type, point * args.values.point_stride + to, at(base, best));
            if (args.indices.data != nullptr)
                store_int(args.indices.data, args.indices.type, point * args.indices.point_stride + to, best);
            previous = best;
        }
    }

private:
    LOSSMAP_HD Compute at(std::int64_t base, std::int64_t k) const {
        return load<Compute>(args.in.data, args.in.type, base + k * args.inner);
    }
    LOSSMAP_HD static bool greater(Compute a, Compute b) { return a > b || (a != a && b == b); }
    /// Whether element `a` stands in front of element `b`.
    LOSSMAP_HD bool precedes(std::int64_t base, std::int64_t a, std::int64_t b) const {
        const Compute x = args.largest ? at(base, a) : at(base, b);
        const Compute y = args.largest ? at(base, b) : at(base, a);
        return greater(x, y) || (!greater(y, x) && a < b);
    }
};

template <typename Launch>
void launch_top_k(const TopKArgs& args, const Launch& launch) {
    if (args.k > args.count) refuse("top_k", "more elements than there are", args.k);
    const std::int64_t rows = args.outer * args.inner;
    const FastExtent inner(args.inner, is_narrow(rows));
    if (is_float_storage(args.in.type)) return launch.items(args.points, rows, TopK<float>{args, inner});
    launch.items(args.points, rows, TopK<std::int64_t>{args, inner});
}

}  // namespace lossmap::kernels
