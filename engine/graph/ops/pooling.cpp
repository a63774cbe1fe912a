#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ops/families.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::ops {
namespace {

/// Part of the input that one output position sees, clipped to the input, and the number of positions within input and
/// padding (the divisor of count_include_pad: positions beyond the padding, which ceil_mode can reach, do not count).
struct Patch {
    Window::Extents begin{};  ///< first index inside the input
    Window::Extents end{};    ///< bound, exclusive
    std::int64_t padded_count = 1;
    std::int64_t inside_count = 1;
};

Patch patch_at(const Window& w, const Window::Extents& position) {
    Patch patch;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const std::int64_t start = position[axis] * w.stride[axis] - w.pad_begin[axis];
        const std::int64_t step = w.dilation[axis];
        const std::int64_t stop = start + (w.kernel[axis] - 1) * step + 1;
        const std::int64_t skipped = start < 0 ? (-start + step - 1) / step : 0;
        patch.begin[axis] = start + skipped * step;
        patch.end[axis] = std::min(stop, w.input[axis]);
        const auto positions = [&](std::int64_t from, std::int64_t to) {
            return to > from ? (to - from + step - 1) / step : std::int64_t{0};
        };
        patch.padded_count *= positions(start, std::min(stop, w.input[axis] + w.pad_end[axis]));
        patch.inside_count *= positions(patch.begin[axis], patch.end[axis]);
    }
    return patch;
}

template <typename Visit>
void for_each_in_patch(const Window& w, const Patch& patch, Visit&& visit) {
    for (std::int64_t d = patch.begin[0]; d < patch.end[0]; d += w.dilation[0]) {
        for (std::int64_t h = patch.begin[1]; h < patch.end[1]; h += w.dilation[1]) {
            for (std::int64_t x = patch.begin[2]; x < patch.end[2]; x += w.dilation[2]) {
                visit((d * w.input[1] + h) * w.input[2] + x);
            }
        }
    }
}

template <typename Body>
void for_each_position(const Window& w, Body&& body) {
    std::int64_t flat = 0;
    for (std::int64_t d = 0; d < w.output[0]; ++d) {
        for (std::int64_t h = 0; h < w.output[1]; ++h) {
            for (std::int64_t x = 0; x < w.output[2]; ++x)
                body(flat++, patch_at(w, {d, h, x}));
        }
    }
}

Window pool_window(const Node& node, const Shape& input) {
    return forward_window(node, input, node.attributes.get_ints("kernel_shape", {}));
}

Types infer_pool(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    const Window w = pool_window(context.node, input.shape);
    Types types{{input.dtype, window_output_shape(w, input.shape[0], input.shape[1])}};
    if (context.node.has_output(1)) types.push_back({DType::i64, types[0].shape});
    return types;
}

Types infer_float_pool(const InferenceContext& context) {
    require_float(context);
    return infer_pool(context);
}

/// Index of a position within its plane; storage_order 1 counts columns first.
std::int64_t plane_index(const Window& w, std::int64_t flat, bool column_major) {
    if (!column_major) return flat;
    const std::int64_t x = flat % w.input[2];
    const std::int64_t h = flat / w.input[2] % w.input[1];
    const std::int64_t d = flat / (w.input[2] * w.input[1]);
    return d + w.input[0] * (h + w.input[1] * x);
}

/// Largest element of each window; NaN in a window gives NaN. An empty window gives the lowest value.
void run_max_pool(const Node& node, Inputs inputs, Outputs outputs) {
    const Window w = pool_window(node, inputs[0].shape);
    const bool column_major = node.attributes.get_int("storage_order", 0) != 0;
    const std::int64_t planes = extent_product(inputs[0].shape, 0, 2);
    const std::int64_t in_plane = Window::count(w.input);
    const std::int64_t out_plane = Window::count(w.output);
    std::int64_t* indices = node.has_output(1) ? raw<std::int64_t>(outputs[1]) : nullptr;
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Limits = std::numeric_limits<T>;
        const T lowest = Limits::has_infinity ? static_cast<T>(-Limits::infinity()) : Limits::lowest();
        for (std::int64_t plane = 0; plane < planes; ++plane) {
            const T* in = raw<T>(inputs[0]) + plane * in_plane;
            for_each_position(w, [&](std::int64_t at, const Patch& patch) {
                T best = lowest;
                std::int64_t where = -1;
                for_each_in_patch(w, patch, [&](std::int64_t flat) {
                    const bool nan_kept = best != best;
                    if (where < 0 || (!nan_kept && (in[flat] > best || in[flat] != in[flat]))) {
                        best = in[flat];
                        where = flat;
                    }
                });
                raw<T>(outputs[0])[plane * out_plane + at] = best;
                if (indices != nullptr)
                    indices[plane * out_plane + at] = plane * in_plane + plane_index(w, where, column_major);
            });
        }
    });
}

/// out = finish(sum of term(x) over the window, window) for floating-point pools, summed in fp64.
template <typename Term, typename Finish>
void run_sum_pool(const Window& w, Inputs inputs, Outputs outputs, Term term, Finish finish) {
    const std::int64_t planes = extent_product(inputs[0].shape, 0, 2);
    const std::int64_t in_plane = Window::count(w.input);
    const std::int64_t out_plane = Window::count(w.output);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t plane = 0; plane < planes; ++plane) {
            const T* in = raw<T>(inputs[0]) + plane * in_plane;
            T* out = raw<T>(outputs[0]) + plane * out_plane;
            for_each_position(w, [&](std::int64_t at, const Patch& patch) {
                double sum = 0;
                for_each_in_patch(w, patch, [&](std::int64_t flat) { sum += term(static_cast<double>(in[flat])); });
                out[at] = static_cast<T>(finish(sum, patch));
            });
        }
    });
}

void run_average_pool(const Node& node, Inputs inputs, Outputs outputs) {
    const bool include_pad = node.attributes.get_int("count_include_pad", 0) != 0;
    run_sum_pool(
        pool_window(node, inputs[0].shape), inputs, outputs, [](double x) { return x; },
        [&](double sum, const Patch& patch) {
            return sum / static_cast<double>(include_pad ? patch.padded_count : patch.inside_count);
        });
}

/// Norm order; an integer from opset 2 on.
double norm_order(const Node& node) {
    return node.opset < 2 ? node.attributes.get_float("p", 2.0) : static_cast<double>(node.attributes.get_int("p", 2));
}

void run_lp(const Node& node, const Window& w, Inputs inputs, Outputs outputs) {
    const double p = norm_order(node);
    run_sum_pool(
        w, inputs, outputs, [p](double x) { return std::pow(std::abs(x), p); },
        [p](double sum, const Patch&) { return std::pow(sum, 1.0 / p); });
}

void run_lp_pool(const Node& node, Inputs inputs, Outputs outputs) {
    run_lp(node, pool_window(node, inputs[0].shape), inputs, outputs);
}

/// A global pool is a window over everything. Spatial dimensions are flattened into one, so any number of them works.
Window global_window(const Shape& input) {
    Window w;
    w.spatial = 1;
    w.input[2] = extent_product(input, 2, input.size());
    w.kernel[2] = w.input[2];
    return w;
}

Types infer_global_pool(const InferenceContext& context) {
    require_float(context);
    Shape shape = context.input(0).shape;
    require(shape.size() >= 2, "input has shape {}, expected [N, C, ..]", to_string(shape));
    std::fill(shape.begin() + 2, shape.end(), 1);
    return {{context.input(0).dtype, shape}};
}

void run_global_average(const Node&, Inputs inputs, Outputs outputs) {
    run_sum_pool(
        global_window(inputs[0].shape), inputs, outputs, [](double x) { return x; },
        [](double sum, const Patch& patch) { return sum / static_cast<double>(patch.inside_count); });
}

void run_global_lp(const Node& node, Inputs inputs, Outputs outputs) {
    run_lp(node, global_window(inputs[0].shape), inputs, outputs);
}

void run_global_max(const Node&, Inputs inputs, Outputs outputs) {
    const std::int64_t plane = extent_product(inputs[0].shape, 2, inputs[0].shape.size());
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* in = raw<T>(inputs[0]);
        for (T& best : outputs[0].as<T>()) {
            best = -std::numeric_limits<T>::infinity();
            for (std::int64_t i = 0; i < plane; ++i) {
                if (in[i] > best || std::isnan(in[i])) best = in[i];
                if (std::isnan(best)) break;
            }
            in += plane;
        }
    });
}

}  // namespace

Family pooling_operators() {
    constexpr std::string_view kNote = "1 to 3 spatial dimensions";
    return {
        {.name = "AveragePool", .domain = "", .infer = infer_float_pool, .run = run_average_pool, .note = kNote},
        {.name = "GlobalAveragePool", .domain = "", .infer = infer_global_pool, .run = run_global_average},
        {.name = "GlobalLpPool", .domain = "", .infer = infer_global_pool, .run = run_global_lp},
        {.name = "GlobalMaxPool", .domain = "", .infer = infer_global_pool, .run = run_global_max},
        {.name = "LpPool", .domain = "", .infer = infer_float_pool, .run = run_lp_pool, .note = kNote},
        {.name = "MaxPool", .domain = "", .max_outputs = 2, .infer = infer_pool, .run = run_max_pool, .note = kNote},
    };
}

}  // namespace lossmap::ops
