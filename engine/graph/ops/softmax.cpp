#include <cmath>
#include <limits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// A tensor as [outer, count, inner]: the operation runs along `count`. Below opset 13 the tensor is flattened to a
/// matrix at `axis` (default 1) and the operation runs over its rows; from 13 on it runs along `axis` (default -1).
struct SoftmaxGeometry {
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
};

SoftmaxGeometry softmax_geometry(const Node& node, const Shape& shape) {
    const bool flatten = node.opset < 13;
    const std::size_t rank = shape.size();
    SoftmaxGeometry geometry;
    if (flatten) {
        const std::int64_t axis = node.attributes.get_int("axis", 1);
        // An axis equal to the rank is allowed: rows of one element.
        const std::size_t split = axis == static_cast<std::int64_t>(rank) ? rank : axis_index(axis, rank);
        geometry.outer = extent_product(shape, 0, split);
        geometry.count = extent_product(shape, split, rank);
        return geometry;
    }
    if (rank == 0) return geometry;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", -1), rank);
    geometry.outer = extent_product(shape, 0, axis);
    geometry.count = shape[axis];
    geometry.inner = extent_product(shape, axis + 1, rank);
    return geometry;
}

Types infer_softmax(const InferenceContext& context) {
    require_float(context);
    (void)softmax_geometry(context.node, context.input(0).shape);  // checks the axis
    return same_as_first(context);
}

/// Largest element of a row of given step; NaN when there is one, as PyTorch's max.
template <typename T>
T row_max(const T* row, std::int64_t count, std::int64_t step) {
    T largest = -std::numeric_limits<T>::infinity();
    for (std::int64_t i = 0; i < count; ++i) {
        const T x = row[i * step];
        if (x > largest || std::isnan(x)) largest = x;
        if (std::isnan(x)) return x;
    }
    return largest;
}

/// Calls row(input row, output row, count, step) for every row.
template <typename Row>
void for_each_softmax_row(const Node& node, Inputs inputs, Outputs outputs, Row row) {
    const SoftmaxGeometry g = softmax_geometry(node, inputs[0].shape);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t o = 0; o < g.outer; ++o) {
            for (std::int64_t i = 0; i < g.inner; ++i) {
                const std::int64_t begin = o * g.count * g.inner + i;
                row(raw<T>(inputs[0]) + begin, raw<T>(outputs[0]) + begin, g.count, g.inner);
            }
        }
    });
}

void run_softmax(const Node& node, Inputs inputs, Outputs outputs) {
    for_each_softmax_row(node, inputs, outputs,
                         []<typename T>(const T* in, T* out, std::int64_t count, std::int64_t step) {
                             const T largest = row_max(in, count, step);
                             double sum = 0;
                             for (std::int64_t i = 0; i < count; ++i) {
                                 out[i * step] = std::exp(in[i * step] - largest);
                                 sum += static_cast<double>(out[i * step]);
                             }
                             const T scale = static_cast<T>(1.0 / sum);
                             for (std::int64_t i = 0; i < count; ++i)
                                 out[i * step] *= scale;
                         });
}

void run_log_softmax(const Node& node, Inputs inputs, Outputs outputs) {
    for_each_softmax_row(node, inputs, outputs,
                         []<typename T>(const T* in, T* out, std::int64_t count, std::int64_t step) {
                             const T largest = row_max(in, count, step);
                             double sum = 0;
                             for (std::int64_t i = 0; i < count; ++i)
                                 sum += std::exp(static_cast<double>(in[i * step] - largest));
                             const T log_sum = static_cast<T>(std::log(sum));
                             for (std::int64_t i = 0; i < count; ++i)
                                 out[i * step] = (in[i * step] - largest) - log_sum;
                         });
}

/// 1 at the first largest element of a row, 0 elsewhere.
void run_hardmax(const Node& node, Inputs inputs, Outputs outputs) {
    for_each_softmax_row(node, inputs, outputs,
                         []<typename T>(const T* in, T* out, std::int64_t count, std::int64_t step) {
                             std::int64_t best = 0;
                             for (std::int64_t i = 0; i < count; ++i) {
                                 if (in[i * step] > in[best * step]) best = i;
                                 out[i * step] = T{0};
                             }
                             if (count > 0) out[best * step] = T{1};
                         });
}

}  // namespace

Family softmax_operators() {
    return {
        {.name = "Softmax", .domain = "", .infer = infer_softmax, .run = run_softmax},
        {.name = "LogSoftmax", .domain = "", .infer = infer_softmax, .run = run_log_softmax},
        {.name = "Hardmax", .domain = "", .infer = infer_softmax, .run = run_hardmax},
    };
}

}  // namespace lossmap::ops
