#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// Which dimensions go. Axes are an attribute in old operator sets (below 13 for ReduceSum, below 18 for the others),
/// an input in new ones; without axes all dimensions go, or none with noop_with_empty_axes.
std::vector<bool> reduced_dimensions(const Node& node, std::size_t rank, const std::optional<Ints>& axes) {
    const bool all = !axes || axes->empty();
    const bool keep_all = all && node.attributes.get_int("noop_with_empty_axes", 0) != 0;
    std::vector<bool> reduced(rank, all && !keep_all);
    if (!all) {
        for (const std::int64_t axis : *axes)
            reduced[axis_index(axis, rank)] = true;
    }
    return reduced;
}

Types infer_reduce(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    const auto reduced = reduced_dimensions(context.node, input.shape.size(), ints_of(context, "axes", 1));
    const bool keep = context.node.attributes.get_int("keepdims", 1) != 0;
    Shape shape;
    for (std::size_t axis = 0; axis < reduced.size(); ++axis) {
        if (!reduced[axis])
            shape.push_back(input.shape[axis]);
        else if (keep)
            shape.push_back(1);
    }
    return {{input.dtype, shape}};
}

// Each reduction: start value, one step, and what to do with the accumulator at the end (`count` elements were
// reduced).
struct Sum {
    template <typename A>
    static A start() {
        return A{0};
    }
    template <typename A>
    static void step(A& sum, A x) {
        sum += x;
    }
    template <typename A>
    static A finish(A sum, std::int64_t) {
        return sum;
    }
};
struct Mean : Sum {
    template <typename A>
    static A finish(A sum, std::int64_t count) {
        if constexpr (std::is_integral_v<A>) require(count != 0, "mean of no integers");
        return sum / static_cast<A>(count);
    }
};
struct Product {
    template <typename A>
    static A start() {
        return A{1};
    }
    template <typename A>
    static void step(A& product, A x) {
        product *= x;
    }
    template <typename A>
    static A finish(A product, std::int64_t) {
        return product;
    }
};
struct Largest {
    template <typename A>
    static A start() {
        return std::numeric_limits<A>::has_infinity ? -std::numeric_limits<A>::infinity()
                                                    : std::numeric_limits<A>::lowest();
    }
    template <typename A>
    static void step(A& best, A x) {
        best = x > best || x != x ? x : best;
    }
    template <typename A>
    static A finish(A best, std::int64_t) {
        return best;
    }
};
struct Smallest {
    template <typename A>
    static A start() {
        return std::numeric_limits<A>::has_infinity ? std::numeric_limits<A>::infinity()
                                                    : std::numeric_limits<A>::max();
    }
    template <typename A>
    static void step(A& best, A x) {
        best = x < best || x != x ? x : best;
    }
    template <typename A>
    static A finish(A best, std::int64_t) {
        return best;
    }
};
struct AbsoluteSum : Sum {
    template <typename A>
    static void step(A& sum, A x) {
        sum += x < A{0} ? A{0} - x : x;
    }
};
struct SquareSum : Sum {
    template <typename A>
    static void step(A& sum, A x) {
        sum += x * x;
    }
};
struct EuclideanNorm : SquareSum {
    template <typename A>
    static A finish(A sum, std::int64_t) {
        return static_cast<A>(std::sqrt(static_cast<double>(sum)));
    }
};
struct LogSum : Sum {
    template <typename A>
    static A finish(A sum, std::int64_t) {
        return static_cast<A>(std::log(static_cast<double>(sum)));
    }
};

/// Accumulator: fp64 for floating point; integers wrap in unsigned arithmetic of their width where the sign does not
/// matter.
template <typename T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, T>;

/// The input seen as [kept..., reduced...] through strides: a loop over output elements and one over what each sums up.
struct ReduceLoops {
    Shape kept, kept_strides, gone, gone_strides;

    ReduceLoops(const Shape& shape, const std::vector<bool>& reduced) {
        const Shape strides = row_major_strides(shape);
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            (reduced[axis] ? gone : kept).push_back(shape[axis]);
            (reduced[axis] ? gone_strides : kept_strides).push_back(strides[axis]);
        }
    }

    /// Calls body(output index, begin of its elements in the input).
    template <typename Body>
    void for_each_output(Body&& body) const {
        for_each_row<1>(StridedLoop(kept, {kept_strides}),
                        [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
                            for (std::int64_t i = 0; i < count; ++i)
                                body(at + i, begin[0] + i * step[0]);
                        });
    }
};

template <typename Op>
void run_wide_reduce(const Node& node, Inputs inputs, Outputs outputs) {
    const ReduceLoops loops(inputs[0].shape,
                            reduced_dimensions(node, inputs[0].shape.size(), ints_of(node, inputs, "axes", 1)));
    const StridedLoop inner(loops.gone, {loops.gone_strides});
    const std::int64_t count = element_count(loops.gone);
    visit_wide(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using A = Accumulator<T>;
        const T* in = raw<T>(inputs[0]);
        loops.for_each_output([&](std::int64_t at, std::int64_t base) {
            A total = Op::template start<A>();
            for_each_row<1>(inner, [&](std::int64_t, const auto& begin, const auto& step, std::int64_t length) {
                const T* row = in + base + begin[0];
                for (std::int64_t i = 0; i < length; ++i)
                    Op::template step<A>(total, static_cast<A>(row[i * step[0]]));
            });
            raw<T>(outputs[0])[at] = static_cast<T>(Op::template finish<A>(total, count));
        });
    });
}

template <typename Op>
void run_reduce(const Node& node, Inputs inputs, Outputs outputs) {
    // Of no truth values the smallest is true and the largest false; i32, through which they go, knows other bounds.
    if constexpr (std::is_same_v<Op, Largest>) {
        if (inputs[0].dtype == DType::boolean && inputs[0].count() == 0) {
            std::ranges::fill(outputs[0].as<bool>(), false);
            return;
        }
    }
    run_widened(node, inputs, outputs, run_wide_reduce<Op>);
}

/// log(sum(exp(x))), shifted by the largest element.
void run_log_sum_exp(const Node& node, Inputs inputs, Outputs outputs) {
    const ReduceLoops loops(inputs[0].shape,
                            reduced_dimensions(node, inputs[0].shape.size(), ints_of(node, inputs, "axes", 1)));
    const StridedLoop inner(loops.gone, {loops.gone_strides});
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* in = raw<T>(inputs[0]);
        loops.for_each_output([&](std::int64_t at, std::int64_t base) {
            const auto over_elements = [&](auto&& visit) {
                for_each_row<1>(inner, [&](std::int64_t, const auto& begin, const auto& step, std::int64_t length) {
                    for (std::int64_t i = 0; i < length; ++i)
                        visit(static_cast<double>(in[base + begin[0] + i * step[0]]));
                });
            };
            double largest = -std::numeric_limits<double>::infinity();
            over_elements([&](double x) { Largest::step(largest, x); });
            const double shift = std::isfinite(largest) ? largest : 0.0;
            double sum = 0;
            over_elements([&](double x) { sum += std::exp(x - shift); });
            raw<T>(outputs[0])[at] = static_cast<T>(std::log(sum) + shift);
        });
    });
}

Types infer_float_reduce(const InferenceContext& context) {
    require_float(context);
    return infer_reduce(context);
}

Types infer_arg(const InferenceContext& context) {
    const Shape& input = context.input(0).shape;
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", 0), input.size());
    require(input[axis] > 0, "dimension {} is empty", axis);
    Shape shape = input;
    if (context.node.attributes.get_int("keepdims", 1) != 0)
        shape[axis] = 1;
    else
        shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    return {{DType::i64, shape}};
}

/// Index of the extreme element, the first one or with select_last_index the last one; NaN counts as the extreme.
template <bool kLargest>
void run_arg(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& shape = inputs[0].shape;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", 0), shape.size());
    const bool last = node.attributes.get_int("select_last_index", 0) != 0;
    const std::int64_t outer = extent_product(shape, 0, axis);
    const std::int64_t inner = extent_product(shape, axis + 1, shape.size());
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        std::int64_t* out = raw<std::int64_t>(outputs[0]);
        for (std::int64_t row = 0; row < outer * inner; ++row) {
            const T* in = raw<T>(inputs[0]) + row / inner * shape[axis] * inner + row % inner;
            std::int64_t best = 0;
            for (std::int64_t i = 1; i < shape[axis]; ++i) {
                const T x = in[i * inner];
                const T kept = in[best * inner];
                const bool better = kept == kept && (x != x || (kLargest ? x > kept : x < kept));
                if (better || (last && x == kept)) best = i;
            }
            *out++ = best;
        }
    });
}

OperatorInfo reduction(std::string_view name, ShapeRule infer, HostKernel run) {
    return {.name = name, .domain = "", .max_inputs = 2, .infer = infer, .run = run, .note = "axes must be constant"};
}

}  // namespace

Family reduction_operators() {
    return {
        reduction("ReduceL1", infer_reduce, run_reduce<AbsoluteSum>),
        reduction("ReduceL2", infer_reduce, run_reduce<EuclideanNorm>),
        reduction("ReduceLogSum", infer_reduce, run_reduce<LogSum>),
        reduction("ReduceLogSumExp", infer_float_reduce, run_log_sum_exp),
        reduction("ReduceMax", infer_reduce, run_reduce<Largest>),
        reduction("ReduceMean", infer_reduce, run_reduce<Mean>),
        reduction("ReduceMin", infer_reduce, run_reduce<Smallest>),
        reduction("ReduceProd", infer_reduce, run_reduce<Product>),
        reduction("ReduceSum", infer_reduce, run_reduce<Sum>),
        reduction("ReduceSumSquare", infer_reduce, run_reduce<SquareSum>),
        {.name = "ArgMax", .domain = "", .infer = infer_arg, .run = run_arg<true>},
        {.name = "ArgMin", .domain = "", .infer = infer_arg, .run = run_arg<false>},
    };
}

}  // namespace lossmap::ops
