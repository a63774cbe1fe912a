#include <algorithm>
#include <numeric>
#include <type_traits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// A tensor as rows along one axis: row r begins at r / inner * extent * inner + r % inner and moves by `inner`.
struct Rows {
    std::int64_t outer, extent, inner;

    Rows(const Shape& shape, std::size_t axis)
        : outer(extent_product(shape, 0, axis)),
          extent(shape[axis]),
          inner(extent_product(shape, axis + 1, shape.size())) {}
    [[nodiscard]] std::int64_t count() const { return outer * inner; }
    [[nodiscard]] std::int64_t begin(std::int64_t row) const { return row / inner * extent * inner + row % inner; }
};

std::size_t cumulative_axis(const ConstTensorView& axis, std::size_t rank) {
    const Ints values = read_ints(axis);
    require(values.size() == 1, "the axis is not a scalar");
    return axis_index(values[0], rank);
}

struct Plus {
    static constexpr int kStart = 0;
    template <typename A>
    static A apply(A a, A b) {
        return a + b;
    }
};
struct Times {
    static constexpr int kStart = 1;
    template <typename A>
    static A apply(A a, A b) {
        return a * b;
    }
};

/// Running sum or product along an axis; exclusive leaves each element itself out, reverse runs from the end.
template <typename Op>
void run_wide_cumulative(const Node& node, Inputs inputs, Outputs outputs) {
    const bool exclusive = node.attributes.get_int("exclusive", 0) != 0;
    const bool reverse = node.attributes.get_int("reverse", 0) != 0;
    if (inputs[0].shape.empty()) return copy_bytes(inputs[0], outputs[0]);
    const Rows rows(inputs[0].shape, cumulative_axis(inputs[1], inputs[0].shape.size()));
    visit_wide(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using A = std::conditional_t<std::is_floating_point_v<T>, double, T>;
        for (std::int64_t row = 0; row < rows.count(); ++row) {
            A total = static_cast<A>(Op::kStart);
            for (std::int64_t i = 0; i < rows.extent; ++i) {
                const std::int64_t at = rows.begin(row) + (reverse ? rows.extent - 1 - i : i) * rows.inner;
                const A next = Op::apply(total, static_cast<A>(raw<T>(inputs[0])[at]));
                raw<T>(outputs[0])[at] = static_cast<T>(exclusive ? total : next);
                total = next;
            }
        }
    });
}

template <typename Op>
void run_cumulative(const Node& node, Inputs inputs, Outputs outputs) {
    run_widened(node, inputs, outputs, run_wide_cumulative<Op>);
}

/// Number of elements: an attribute below opset 10, an input from then on.
std::int64_t top_count(const std::optional<Ints>& input, const Node& node) {
    const std::int64_t count = input ? (input->size() == 1 ? input->front() : -1) : node.attributes.get_int("k");
    require(count >= 0, "k must be a number that is not negative");
    return count;
}

Types infer_top_k(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", -1), input.shape.size());
    const auto given = context.node.has_input(1) ? std::optional(context.constant_ints(1)) : std::nullopt;
    const std::int64_t count = top_count(given, context.node);
    require(count <= input.shape[axis], "k is {}, the dimension has {} elements", count, input.shape[axis]);
    Shape shape = input.shape;
    shape[axis] = count;
    return {{input.dtype, shape}, {DType::i64, shape}};
}

/// Largest (or smallest) elements in order, the lower index first among equals; NaN counts as the largest, as in
/// PyTorch.
void run_top_k(const Node& node, Inputs inputs, Outputs outputs) {
    const std::size_t axis = axis_index(node.attributes.get_int("axis", -1), inputs[0].shape.size());
    const bool largest = node.attributes.get_int("largest", 1) != 0;
    const Rows rows(inputs[0].shape, axis);
    const auto given = node.has_input(1) ? std::optional(read_ints(inputs[1])) : std::nullopt;
    const std::int64_t count = top_count(given, node);
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        Ints order(static_cast<std::size_t>(rows.extent));
        for (std::int64_t row = 0; row < rows.count(); ++row) {
            const T* in = raw<T>(inputs[0]) + rows.begin(row);
            std::iota(order.begin(), order.end(), 0);
            const auto greater = [](T a, T b) { return a > b || (a != a && b == b); };
            std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
                return largest ? greater(in[a * rows.inner], in[b * rows.inner])
                               : greater(in[b * rows.inner], in[a * rows.inner]);
            });
            const std::int64_t begin = row / rows.inner * count * rows.inner + row % rows.inner;
            for (std::int64_t i = 0; i < count; ++i) {
                const std::int64_t source = order[static_cast<std::size_t>(i)];
                if (node.has_output(0)) raw<T>(outputs[0])[begin + i * rows.inner] = in[source * rows.inner];
                if (node.has_output(1)) raw<std::int64_t>(outputs[1])[begin + i * rows.inner] = source;
            }
        }
    });
}

}  // namespace

Family ordering_operators() {
    return {
        {.name = "CumProd",
         .domain = "",
         .min_opset = 26,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = same_as_first,
         .run = run_cumulative<Times>},
        {.name = "CumSum",
         .domain = "",
         .min_opset = 11,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = same_as_first,
         .run = run_cumulative<Plus>},
        {.name = "TopK",
         .domain = "",
         .max_inputs = 2,
         .max_outputs = 2,
         .infer = infer_top_k,
         .run = run_top_k,
         .note = "k must be constant"},
    };
}

}  // namespace lossmap::ops
