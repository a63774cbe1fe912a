#include <algorithm>
#include <type_traits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// A matrix with any strides, so that transposition costs nothing.
template <typename T>
struct MatrixView {
    const T* data;
    std::int64_t row_stride;
    std::int64_t column_stride;
};

/// out[m, n] += scale * a[m, k] * b[k, n]; the inner loop runs along n. NaN and infinity of b count even where a is 0.
template <typename T>
void multiply_add(MatrixView<T> a, MatrixView<T> b, T* out, std::int64_t m, std::int64_t n, std::int64_t k, T scale) {
    for (std::int64_t row = 0; row < m; ++row) {
        T* target = out + row * n;
        for (std::int64_t depth = 0; depth < k; ++depth) {
            const T factor = scale * a.data[row * a.row_stride + depth * a.column_stride];
            const T* source = b.data + depth * b.row_stride;
            if (b.column_stride == 1) {
                for (std::int64_t i = 0; i < n; ++i)
                    target[i] += factor * source[i];
            } else {
                for (std::int64_t i = 0; i < n; ++i)
                    target[i] += factor * source[i * b.column_stride];
            }
        }
    }
}

bool transposed(const Node& node, const char* name) { return node.attributes.get_int(name, 0) != 0; }

struct GemmShape {
    std::int64_t m, n, k;
};

GemmShape gemm_shape(const Node& node, const Shape& a, const Shape& b) {
    require(a.size() == 2 && b.size() == 2, "inputs have shapes {} and {}, expected matrices", to_string(a),
            to_string(b));
    const bool ta = transposed(node, "transA");
    const bool tb = transposed(node, "transB");
    const GemmShape g{a[ta], b[!tb], a[!ta]};
    require(b[tb] == g.k, "input has {} features, weight expects {}", g.k, b[tb]);
    return g;
}

Types infer_gemm(const InferenceContext& context) {
    require_same_dtype(context, context.inputs.size());
    const GemmShape g = gemm_shape(context.node, context.input(0).shape, context.input(1).shape);
    const Shape shape{g.m, g.n};
    if (context.node.has_input(2)) {
        require(broadcast(shape, context.input(2).shape) == shape, "bias of shape {} does not broadcast to {}",
                to_string(context.input(2).shape), to_string(shape));
    }
    return {{context.input(0).dtype, shape}};
}

void run_wide_gemm(const Node& node, Inputs inputs, Outputs outputs) {
    const GemmShape g = gemm_shape(node, inputs[0].shape, inputs[1].shape);
    const bool ta = transposed(node, "transA");
    const bool tb = transposed(node, "transB");
    visit_wide(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto out = outputs[0].as<T>();
        std::ranges::fill(out, T{0});
        if (node.has_input(2)) {
            copy_strided(inputs[2], broadcast_strides(inputs[2].shape, outputs[0].shape), outputs[0]);
            const T beta = static_cast<T>(node.attributes.get_float("beta", 1.0));
            for (T& x : out)
                x = static_cast<T>(x * beta);
        }
        const MatrixView<T> a{raw<T>(inputs[0]), ta ? 1 : g.k, ta ? g.m : 1};
        const MatrixView<T> b{raw<T>(inputs[1]), tb ? 1 : g.n, tb ? g.k : 1};
        multiply_add(a, b, out.data(), g.m, g.n, g.k, static_cast<T>(node.attributes.get_float("alpha", 1.0)));
    });
}

void run_gemm(const Node& node, Inputs inputs, Outputs outputs) { run_widened(node, inputs, outputs, run_wide_gemm); }

/// NumPy's matmul: vectors gain a dimension that the result loses, leading dimensions broadcast.
struct MatMulShape {
    Shape a, b;    ///< with at least two dimensions
    Shape batch;   ///< broadcast leading dimensions
    Shape output;  ///< without the dimensions that vectors gained
};

MatMulShape matmul_shape(Shape a, Shape b) {
    require(!a.empty() && !b.empty(), "a scalar cannot be multiplied as a matrix");
    MatMulShape s;
    const bool row_vector = a.size() == 1;
    const bool column_vector = b.size() == 1;
    if (row_vector) a.insert(a.begin(), 1);
    if (column_vector) b.push_back(1);
    require(a.back() == b[b.size() - 2], "input has {} features, weight expects {}", a.back(), b[b.size() - 2]);
    s.batch = broadcast(std::span(a).first(a.size() - 2), std::span(b).first(b.size() - 2));
    s.output = s.batch;
    if (!row_vector) s.output.push_back(a[a.size() - 2]);
    if (!column_vector) s.output.push_back(b.back());
    s.a = std::move(a);
    s.b = std::move(b);
    return s;
}

Types infer_matmul(const InferenceContext& context) {
    require_same_dtype(context, 2);
    return {{context.input(0).dtype, matmul_shape(context.input(0).shape, context.input(1).shape).output}};
}

void run_wide_matmul(const Node&, Inputs inputs, Outputs outputs) {
    const MatMulShape s = matmul_shape(inputs[0].shape, inputs[1].shape);
    const std::int64_t m = s.a[s.a.size() - 2];
    const std::int64_t k = s.a.back();
    const std::int64_t n = s.b.back();
    const Shape batch_a(s.a.begin(), s.a.end() - 2);
    const Shape batch_b(s.b.begin(), s.b.end() - 2);
    const StridedLoop loop(s.batch, {broadcast_strides(batch_a, s.batch), broadcast_strides(batch_b, s.batch)});
    visit_wide(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        std::ranges::fill(outputs[0].as<T>(), T{0});
        for_each_row<2>(loop, [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) {
                const MatrixView<T> a{raw<T>(inputs[0]) + (begin[0] + i * step[0]) * m * k, k, 1};
                const MatrixView<T> b{raw<T>(inputs[1]) + (begin[1] + i * step[1]) * k * n, n, 1};
                multiply_add(a, b, raw<T>(outputs[0]) + (at + i) * m * n, m, n, k, T{1});
            }
        });
    });
}

void run_matmul(const Node& node, Inputs inputs, Outputs outputs) {
    run_widened(node, inputs, outputs, run_wide_matmul);
}

}  // namespace

Family matrix_operators() {
    return {
        {.name = "Gemm", .domain = "", .min_inputs = 2, .max_inputs = 3, .infer = infer_gemm, .run = run_gemm},
        {.name = "MatMul", .domain = "", .min_inputs = 2, .max_inputs = 2, .infer = infer_matmul, .run = run_matmul},
    };
}

}  // namespace lossmap::ops
