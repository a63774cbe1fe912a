#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/block_rows.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

enum class ReduceOp : std::uint8_t { sum, mean, prod, max, min, l1, l2, sum_square, log_sum, log_sum_exp };

/// Row-major output over `kept`; each element is the reduction over `reduced` of the input, read through strides.
/// Floating point accumulates in fp64, integers and bool in 64 bits.
struct ReduceArgs {
    ReduceOp op = ReduceOp::sum;
    Input in;
    Output out;
    std::int64_t points = 1;
    Dims kept;
    Strides kept_strides;
    Dims reduced;
    Strides reduced_strides;
    OverflowFlags overflow;
};

/// ArgMax and ArgMin along the middle of [outer, count, inner]; i64 [outer, inner]. NaN counts as the extreme.
struct ArgReduceArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    bool largest = true;
    bool last_index = false;  ///< the last extreme instead of the first
};

LOSSMAP_HD inline double reduce_start(ReduceOp op, double) {
    constexpr double kInfinity = HUGE_VAL;
    return op == ReduceOp::prod ? 1.0 : op == ReduceOp::max ? -kInfinity : op == ReduceOp::min ? kInfinity : 0.0;
}
LOSSMAP_HD inline std::int64_t reduce_start(ReduceOp op, std::int64_t) {
    return op == ReduceOp::prod ? 1 : op == ReduceOp::max ? INT64_MIN : op == ReduceOp::min ? INT64_MAX : 0;
}

// Integers wrap: their arithmetic is done unsigned.
LOSSMAP_HD inline double product_of(double a, double b) { return a * b; }
LOSSMAP_HD inline double sum_of(double a, double b) { return a + b; }
LOSSMAP_HD inline std::int64_t product_of(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}
LOSSMAP_HD inline std::int64_t sum_of(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// What an element contributes, before it is joined.
template <typename A>
LOSSMAP_HD inline A reduce_term(ReduceOp op, A x) {
    switch (op) {
        case ReduceOp::l1: return x < A{0} ? product_of(x, A{-1}) : x;
        case ReduceOp::l2:
        case ReduceOp::sum_square: return product_of(x, x);
        default: return x;
    }
}

template <typename A>
LOSSMAP_HD inline A reduce_join(ReduceOp op, A a, A b) {
    switch (op) {
        case ReduceOp::prod: return product_of(a, b);
        case ReduceOp::max: return b > a || b != b ? b : a;
        case ReduceOp::min: return b < a || b != b ? b : a;
        default: return sum_of(a, b);
    }
}

LOSSMAP_HD inline double reduce_finish(ReduceOp op, double total, std::int64_t count) {
    switch (op) {
        case ReduceOp::mean: return total / static_cast<double>(count);
        case ReduceOp::l2: return std::sqrt(total);
        case ReduceOp::log_sum:
        case ReduceOp::log_sum_exp: return std::log(total);
        default: return total;
    }
}
LOSSMAP_HD inline std::int64_t reduce_finish(ReduceOp op, std::int64_t total, std::int64_t count) {
    switch (op) {
        case ReduceOp::mean: return total / count;
        case ReduceOp::l2: return static_cast<std::int64_t>(std::sqrt(static_cast<double>(total)));
        case ReduceOp::log_sum: return static_cast<std::int64_t>(std::log(static_cast<double>(total)));
        default: return total;
    }
}

/// fp64 for floating point, 64-bit integers else.
template <typename A>
struct ReduceAccess {
    ReduceArgs args;
    StridedLoop<1> kept, reduced;
    std::int64_t count = 1;  ///< elements an output is made of

    LOSSMAP_HD std::int64_t base_of(std::int64_t point, std::int64_t output) const {
        std::int64_t at[1];
        kept.offsets(output, at);
        return point * args.in.point_stride + at[0];
    }
    LOSSMAP_HD A element(std::int64_t base, std::int64_t k) const {
        std::int64_t at[1];
        reduced.offsets(k, at);
        return convert(base + at[0]);
    }
    LOSSMAP_HD void write(std::int64_t point, std::int64_t output, double value) const {
        const auto y = static_cast<float>(value);
        flag_overflow(args.overflow, args.out.type, point, output, y);
        store_float(args.out.data, args.out.type, point * args.out.point_stride + output, y);
    }
    LOSSMAP_HD void write(std::int64_t point, std::int64_t output, std::int64_t value) const {
        store_int(args.out.data, args.out.type, point * args.out.point_stride + output, value);
    }
    /// log_sum_exp: what the exponent is lowered by.
    LOSSMAP_HD static double shift_of(double largest) {
        return largest > -HUGE_VAL && largest < HUGE_VAL ? largest : 0.0;
    }
    LOSSMAP_HD static std::int64_t shift_of(std::int64_t) { return 0; }
    LOSSMAP_HD static double exponential(double x) { return std::exp(x); }
    LOSSMAP_HD static std::int64_t exponential(std::int64_t x) { return x; }

private:
    LOSSMAP_HD A convert(std::int64_t at) const;
};
template <>
LOSSMAP_HD inline double ReduceAccess<double>::convert(std::int64_t at) const {
    return static_cast<double>(load_float(args.in.data, args.in.type, at));
}
template <>
LOSSMAP_HD inline std::int64_t ReduceAccess<std::int64_t>::convert(std::int64_t at) const {
    return load_int(args.in.data, args.in.type, at);
}

/// One thread an output.
template <typename A>
struct ReduceThread {
    ReduceAccess<A> access;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t output) const {
        const ReduceOp op = access.args.op;
        const std::int64_t base = access.base_of(point, output);
        A shift{0};
        if (op == ReduceOp::log_sum_exp) {
            A largest = reduce_start(ReduceOp::max, A{});
            for (std::int64_t k = 0; k < access.count; ++k)
                largest = reduce_join(ReduceOp::max, largest, access.element(base, k));
            shift = access.shift_of(largest);
        }
        A total = reduce_start(op, A{});
        for (std::int64_t k = 0; k < access.count; ++k) {
            const A x = access.element(base, k);
            total = reduce_join(op, total,
                                op == ReduceOp::log_sum_exp ? access.exponential(x - shift) : reduce_term(op, x));
        }
        access.write(point, output, reduce_finish(op, total, access.count) + shift);
    }
};

/// kPackWidth outputs a thread, for sums and means whose outputs lie side by side while their elements do not: what
/// ReduceThread adds, in its order, by accesses of 16 bytes of which several are on their way at once.
struct ReducePacked {
    static constexpr int kAtOnce = 4;

    ReduceAccess<double> access;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t pack) const {
        const ReduceArgs& args = access.args;
        const std::int64_t output = pack * kPackWidth;
        const std::int64_t base = access.base_of(point, output);
        double totals[kPackWidth] = {};
        switch (args.in.type) {
            case DType::f16: add<Half>(base, totals); break;
            case DType::bf16: add<BFloat16>(base, totals); break;
            default: add<float>(base, totals); break;
        }
        float values[kPackWidth];
        LOSSMAP_UNROLL
        for (int k = 0; k < kPackWidth; ++k)
            values[k] = static_cast<float>(reduce_finish(args.op, totals[k], access.count));
        flag_pack(args.overflow, args.out.type, point, output, values);
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + output, values);
    }

    static bool fits(const ReduceArgs& args) {
        const auto apart = [](const Dims& dims, const Strides& strides, int count) {
            for (int axis = 0; axis < count; ++axis) {
                if (dims.extents[axis] != 1 && strides.values[axis] % kPackWidth != 0) return false;
            }
            return true;
        };
        const int last = args.kept.rank - 1;
        return (args.op == ReduceOp::sum || args.op == ReduceOp::mean) && last >= 0 &&
               args.kept_strides.values[last] == 1 && args.kept.extents[last] % kPackWidth == 0 &&
               apart(args.kept, args.kept_strides, last) &&
               apart(args.reduced, args.reduced_strides, args.reduced.rank) && is_packable(args.in, kPackWidth) &&
               is_packable(args.out, args.kept.count());
    }

private:
    template <typename T>
    LOSSMAP_HD void add(std::int64_t base, double (&totals)[kPackWidth]) const {
        const void* data = access.args.in.data;
        std::int64_t k = 0;
        for (; k + kAtOnce <= access.count; k += kAtOnce) {
            float values[kAtOnce][kPackWidth];
            LOSSMAP_UNROLL
            for (int j = 0; j < kAtOnce; ++j)
                load_packs<T, kPackWidth>(data, offset_of(base, k + j), values[j]);
            LOSSMAP_UNROLL
            for (int j = 0; j < kAtOnce; ++j)
                add_pack(values[j], totals);
        }
        for (; k < access.count; ++k) {
            float values[kPackWidth];
            load_packs<T, kPackWidth>(data, offset_of(base, k), values);
            add_pack(values, totals);
        }
    }
    [[nodiscard]] LOSSMAP_HD std::int64_t offset_of(std::int64_t base, std::int64_t k) const {
        std::int64_t at[1];
        access.reduced.offsets(k, at);
        return base + at[0];
    }
    LOSSMAP_HD static void add_pack(const float (&values)[kPackWidth], double (&totals)[kPackWidth]) {
        LOSSMAP_UNROLL
        for (int k = 0; k < kPackWidth; ++k)
            totals[k] += static_cast<double>(values[k]);
    }
};

/// kLanes threads an output.
template <typename A, int kLanes>
struct ReduceBlock {
    using Rows = RowBlock<kLanes>;
    static constexpr int kThreads = kRowThreads;
    struct Shared {
        A partial[kRowThreads];
        A shift[kRowThreads];
    };
    struct Thread {};

    ReduceAccess<A> access;
    std::int64_t outputs = 0;

    /// log_sum_exp looks for the largest element first.
    LOSSMAP_HD int first_sum_phase() const {
        return access.args.op == ReduceOp::log_sum_exp ? Rows::kTreeSteps + 2 : 0;
    }
    LOSSMAP_HD int phases() const { return first_sum_phase() + Rows::kTreeSteps + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread&) const {
        const std::int64_t output = Rows::row_of(block, thread);
        if (output >= outputs) return;
        const ReduceOp op = access.args.op;
        const int begin = first_sum_phase();
        const bool searching = phase < begin;
        const ReduceOp current = searching ? ReduceOp::max : op;
        const int step = searching ? phase : phase - begin;
        if (step == 0) {
            const bool exponential = !searching && op == ReduceOp::log_sum_exp;
            const A shift = exponential ? shared.shift[thread] : A{0};
            const std::int64_t base = access.base_of(point, output);
            A total = reduce_start(current, A{});
            for (std::int64_t k = Rows::lane_of(thread); k < access.count; k += kLanes) {
                const A x = access.element(base, k);
                total =
                    reduce_join(current, total, exponential ? access.exponential(x - shift) : reduce_term(current, x));
            }
            shared.partial[thread] = total;
        } else if (step <= Rows::kTreeSteps) {
            Rows::tree_step(shared.partial, thread, step - 1,
                            [current](A a, A b) { return reduce_join(current, a, b); });
        } else if (searching) {
            shared.shift[thread] = access.shift_of(shared.partial[Rows::result_of(thread)]);
        } else if (Rows::lane_of(thread) == 0) {
            const A shift = op == ReduceOp::log_sum_exp ? shared.shift[thread] : A{0};
            access.write(point, output, reduce_finish(op, shared.partial[thread], access.count) + shift);
        }
    }
};

template <typename A, typename Launch>
void launch_reduce_as(const ReduceArgs& args, const Launch& launch) {
    const std::int64_t outputs = args.kept.count();
    const ReduceAccess<A> access{args, StridedLoop<1>(args.kept, {args.kept_strides}),
                                 StridedLoop<1>(args.reduced, {args.reduced_strides}), args.reduced.count()};
    // Neighbouring outputs that lie side by side while their elements do not (means over the positions of channels-last
    // planes): one thread each reads along the outputs, where there are enough of them.
    const bool interleaved = access.kept.rank > 0 && access.kept.strides[0][access.kept.rank - 1] == 1 &&
                             access.reduced.rank > 0 && access.reduced.strides[0][access.reduced.rank - 1] != 1;
    if (access.count < kFewElements || (interleaved && access.count < kManyElements && outputs >= kManyElements)) {
        if constexpr (std::is_same_v<A, double>) {
            if (ReducePacked::fits(args)) return launch.items(args.points, outputs / kPackWidth, ReducePacked{access});
        }
        return launch.items(args.points, outputs, ReduceThread<A>{access});
    }
    if (access.count < kManyElements)
        return launch.blocks(args.points, RowBlock<32>::blocks_of(outputs), ReduceBlock<A, 32>{access, outputs});
    launch.blocks(args.points, RowBlock<256>::blocks_of(outputs), ReduceBlock<A, 256>{access, outputs});
}

template <typename Launch>
void launch_reduce(const ReduceArgs& args, const Launch& launch) {
    const bool floating = is_float_storage(args.in.type);
    if (floating != is_float_storage(args.out.type)) refuse("reduce", "two kinds", static_cast<int>(args.out.type));
    if (floating) return launch_reduce_as<double>(args, launch);
    if (args.op == ReduceOp::log_sum_exp) refuse("reduce", "log_sum_exp of integers", static_cast<int>(args.in.type));
    if (args.op == ReduceOp::mean && args.reduced.count() == 0) refuse("reduce", "mean of no integers", 0);
    launch_reduce_as<std::int64_t>(args, launch);
}

template <typename Compute>
struct ArgReduce {
    ArgReduceArgs args;
    FastExtent inner;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t i = inner.take(index);
        const std::int64_t base = point * args.in.point_stride + index * args.count * args.inner + i;
        std::int64_t best = 0;
        Compute kept = load<Compute>(args.in.data, args.in.type, base);
        for (std::int64_t k = 1; k < args.count; ++k) {
            const Compute x = load<Compute>(args.in.data, args.in.type, base + k * args.inner);
            const bool better = kept == kept && (x != x || (args.largest ? x > kept : x < kept));
            if (!better && !(args.last_index && x == kept)) continue;
            best = k;
            kept = x;
        }
        store_int(args.out.data, args.out.type, to, best);
    }
};

template <typename Launch>
void launch_arg_reduce(const ArgReduceArgs& args, const Launch& launch) {
    if (args.out.type != DType::i64) refuse("arg_reduce", "index type", static_cast<int>(args.out.type));
    const std::int64_t outputs = args.outer * args.inner;
    const FastExtent inner(args.inner, is_narrow(outputs));
    if (is_float_storage(args.in.type)) return launch.items(args.points, outputs, ArgReduce<float>{args, inner});
    launch.items(args.points, outputs, ArgReduce<std::int64_t>{args, inner});
}

}  // namespace lossmap::kernels
