#include <algorithm>
#include <cmath>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// Input as [N, C, inner].
struct ChannelView {
    std::int64_t batch = 1;
    std::int64_t channels = 1;
    std::int64_t inner = 1;
};

ChannelView channel_view(const Shape& shape) {
    require(shape.size() >= 2, "input has shape {}, expected [N, C, ..]", to_string(shape));
    return {shape[0], shape[1], extent_product(shape, 2, shape.size())};
}

void require_channel_vector(const InferenceContext& context, std::size_t index, std::int64_t channels) {
    require(context.input(index).shape == Shape{channels}, "input {} has shape {}, expected [{}]", index,
            to_string(context.input(index).shape), channels);
}

Types infer_batch_norm(const InferenceContext& context) {
    require_float(context);
    require_same_dtype(context, context.inputs.size());
    const Shape& shape = context.input(0).shape;
    require(!shape.empty(), "input is a scalar");
    for (std::size_t index = 1; index < 5; ++index)
        require_channel_vector(context, index, shape.size() > 1 ? shape[1] : 1);
    return same_as_first(context);
}

/// y = (x - mean) / sqrt(variance + epsilon) * scale + shift; a negative variance gives NaN, as it must.
void run_batch_norm(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& shape = inputs[0].shape;
    const ChannelView v{shape[0], shape.size() > 1 ? shape[1] : 1,
                        extent_product(shape, std::min<std::size_t>(2, shape.size()), shape.size())};
    const double epsilon = node.attributes.get_float("epsilon", 1e-5);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* in = raw<T>(inputs[0]);
        T* out = raw<T>(outputs[0]);
        for (std::int64_t n = 0; n < v.batch; ++n) {
            for (std::int64_t c = 0; c < v.channels; ++c, in += v.inner, out += v.inner) {
                const double factor = static_cast<double>(raw<T>(inputs[1])[c]) /
                                      std::sqrt(static_cast<double>(raw<T>(inputs[4])[c]) + epsilon);
                const double mean = static_cast<double>(raw<T>(inputs[3])[c]);
                const double shift = static_cast<double>(raw<T>(inputs[2])[c]);
                for (std::int64_t i = 0; i < v.inner; ++i)
                    out[i] = static_cast<T>((static_cast<double>(in[i]) - mean) * factor + shift);
            }
        }
    });
}

std::string check_batch_norm(const Node& node) {
    if (node.attributes.get_int("training_mode", 0) != 0) return "training mode is not supported";
    if (node.opset < 9 && node.attributes.get_int("spatial", 1) == 0)
        return "statistics an element (spatial 0) are not supported";
    if (node.opset < 7 && node.attributes.get_int("is_test", 0) == 0)
        return "training mode (is_test 0) is not supported";
    return "";
}

struct Moments {
    double mean = 0;
    double variance = 0;  ///< biased
};

template <typename T>
Moments moments(const T* values, std::int64_t count) {
    Moments m;
    for (std::int64_t i = 0; i < count; ++i)
        m.mean += static_cast<double>(values[i]);
    m.mean /= static_cast<double>(count);
    for (std::int64_t i = 0; i < count; ++i) {
        const double distance = static_cast<double>(values[i]) - m.mean;
        m.variance += distance * distance;
    }
    m.variance /= static_cast<double>(count);
    return m;
}

std::size_t first_normalized(const Node& node, const Shape& shape) {
    return axis_index(node.attributes.get_int("axis", -1), shape.size());
}

Types infer_layer_norm(const InferenceContext& context) {
    require_float(context);
    const TensorType& input = context.input(0);
    const std::size_t axis = first_normalized(context.node, input.shape);
    for (std::size_t index = 1; index < context.inputs.size(); ++index) {
        if (!context.node.has_input(index)) continue;
        require(broadcast(input.shape, context.input(index).shape) == input.shape,
                "input {} of shape {} does not broadcast to {}", index, to_string(context.input(index).shape),
                to_string(input.shape));
    }
    Shape statistics = input.shape;
    std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), 1);
    Types types{input};
    for (std::size_t k = 1; k < context.node.outputs.size(); ++k)
        types.push_back({input.dtype, statistics});
    return types;
}

/// out = out * scale + shift, both broadcast to the output; either may be absent.
template <typename T>
void apply_affine(const Node& node, Inputs inputs, const TensorView& output) {
    const Shape none;
    const bool shifted = node.has_input(2);
    const StridedLoop loop(output.shape, {broadcast_strides(inputs[1].shape, output.shape),
                                          broadcast_strides(shifted ? inputs[2].shape : none, output.shape)});
    const T* scale = raw<T>(inputs[1]);
    T* out = raw<T>(output);
    for_each_row<2>(loop, [&](std::int64_t at, const auto& begin, const auto& step, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
            out[at + i] *= scale[begin[0] + i * step[0]];
            if (shifted) out[at + i] += raw<T>(inputs[2])[begin[1] + i * step[1]];
        }
    });
}

/// Normalises each row, everything behind the axis, and applies scale and shift. `moments_of(row, width)` gives the
/// mean to subtract and the mean square of what is left.
template <typename MomentsOf>
void normalize_rows(const Node& node, Inputs inputs, Outputs outputs, MomentsOf&& moments_of) {
    const Shape& shape = inputs[0].shape;
    const std::size_t axis = first_normalized(node, shape);
    const std::int64_t rows = extent_product(shape, 0, axis);
    const std::int64_t width = extent_product(shape, axis, shape.size());
    const double epsilon = node.attributes.get_float("epsilon", 1e-5);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t row = 0; row < rows; ++row) {
            const T* in = raw<T>(inputs[0]) + row * width;
            T* out = raw<T>(outputs[0]) + row * width;
            const Moments m = moments_of(in, width);
            const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
            for (std::int64_t i = 0; i < width; ++i)
                out[i] = static_cast<T>((static_cast<double>(in[i]) - m.mean) * inverse);
            if (node.has_output(1)) raw<T>(outputs[1])[row] = static_cast<T>(m.mean);
            if (node.has_output(2)) raw<T>(outputs[2])[row] = static_cast<T>(inverse);
        }
        apply_affine<T>(node, inputs, outputs[0]);
    });
}

void run_layer_norm(const Node& node, Inputs inputs, Outputs outputs) {
    normalize_rows(node, inputs, outputs, [](const auto* row, std::int64_t width) { return moments(row, width); });
}

/// Around zero instead of the mean.
void run_rms_norm(const Node& node, Inputs inputs, Outputs outputs) {
    normalize_rows(node, inputs, outputs, [](const auto* row, std::int64_t width) {
        Moments m;
        for (std::int64_t i = 0; i < width; ++i)
            m.variance += static_cast<double>(row[i]) * static_cast<double>(row[i]);
        m.variance /= static_cast<double>(width);
        return m;
    });
}

/// Instance norm (a group a channel) and group norm: statistics over groups of channels, scale and shift as `affine`.
struct GroupAffine {
    std::int64_t per_sample;  ///< entries of scale and shift: one a channel or one a group
};

void normalize_groups(const Node& node, Inputs inputs, Outputs outputs, std::int64_t groups, GroupAffine affine) {
    const ChannelView v = channel_view(inputs[0].shape);
    const double epsilon = node.attributes.get_float("epsilon", 1e-5);
    const std::int64_t width = v.channels / groups * v.inner;
    const std::int64_t run = v.channels * v.inner / affine.per_sample;  // elements that share scale and shift
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t block = 0; block < v.batch * groups; ++block) {
            const T* in = raw<T>(inputs[0]) + block * width;
            T* out = raw<T>(outputs[0]) + block * width;
            const Moments m = moments(in, width);
            const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
            const std::int64_t first = block % groups * width;  // within the sample
            for (std::int64_t i = 0; i < width; ++i) {
                const std::int64_t entry = (first + i) / run;
                const double scaled =
                    (static_cast<double>(in[i]) - m.mean) * inverse * static_cast<double>(raw<T>(inputs[1])[entry]);
                out[i] = static_cast<T>(scaled + static_cast<double>(raw<T>(inputs[2])[entry]));
            }
        }
    });
}

Types infer_instance_norm(const InferenceContext& context) {
    require_float(context);
    const ChannelView v = channel_view(context.input(0).shape);
    require_channel_vector(context, 1, v.channels);
    require_channel_vector(context, 2, v.channels);
    return same_as_first(context);
}

void run_instance_norm(const Node& node, Inputs inputs, Outputs outputs) {
    const std::int64_t channels = inputs[0].shape[1];
    normalize_groups(node, inputs, outputs, channels, {channels});
}

Types infer_group_norm(const InferenceContext& context) {
    require_float(context);
    const ChannelView v = channel_view(context.input(0).shape);
    const std::int64_t groups = context.node.attributes.get_int("num_groups");
    require(groups > 0 && v.channels % groups == 0, "{} channels do not divide into {} groups", v.channels, groups);
    const std::int64_t entries = context.node.opset < 21 ? groups : v.channels;  // opset 18: one scale a group
    require_channel_vector(context, 1, entries);
    require_channel_vector(context, 2, entries);
    return same_as_first(context);
}

void run_group_norm(const Node& node, Inputs inputs, Outputs outputs) {
    normalize_groups(node, inputs, outputs, node.attributes.get_int("num_groups"), {inputs[1].shape[0]});
}

Types infer_lrn(const InferenceContext& context) {
    require_float(context);
    (void)channel_view(context.input(0).shape);
    require(context.node.attributes.get_int("size") > 0, "size must be positive");
    return same_as_first(context);
}

/// y = x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta.
void run_lrn(const Node& node, Inputs inputs, Outputs outputs) {
    const ChannelView v = channel_view(inputs[0].shape);
    const std::int64_t size = node.attributes.get_int("size");
    const double alpha = node.attributes.get_float("alpha", 1e-4);
    const double beta = node.attributes.get_float("beta", 0.75);
    const double bias = node.attributes.get_float("bias", 1.0);
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t n = 0; n < v.batch; ++n) {
            const T* in = raw<T>(inputs[0]) + n * v.channels * v.inner;
            T* out = raw<T>(outputs[0]) + n * v.channels * v.inner;
            for (std::int64_t c = 0; c < v.channels; ++c) {
                const std::int64_t begin = std::max<std::int64_t>(0, c - (size - 1) / 2);
                const std::int64_t end = std::min(v.channels, c + size / 2 + 1);
                for (std::int64_t i = 0; i < v.inner; ++i) {
                    double squares = 0;
                    for (std::int64_t k = begin; k < end; ++k)
                        squares += std::pow(static_cast<double>(in[k * v.inner + i]), 2);
                    const double x = static_cast<double>(in[c * v.inner + i]);
                    out[c * v.inner + i] =
                        static_cast<T>(x / std::pow(bias + alpha / static_cast<double>(size) * squares, beta));
                }
            }
        }
    });
}

Types infer_lp_norm(const InferenceContext& context) {
    require_float(context);
    (void)axis_index(context.node.attributes.get_int("axis", -1), context.input(0).shape.size());
    return same_as_first(context);
}

std::string check_lp_norm(const Node& node) {
    const std::int64_t p = node.attributes.get_int("p", 2);
    return p == 1 || p == 2 ? "" : fmt::format("norm order {} is not supported, 1 and 2 are", p);
}

/// x / |x| along an axis; 0 where the norm is 0.
void run_lp_norm(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& shape = inputs[0].shape;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", -1), shape.size());
    const bool first_order = node.attributes.get_int("p", 2) == 1;
    const std::int64_t outer = extent_product(shape, 0, axis);
    const std::int64_t inner = extent_product(shape, axis + 1, shape.size());
    visit_float(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::int64_t row = 0; row < outer * inner; ++row) {
            const std::int64_t begin = row / inner * shape[axis] * inner + row % inner;
            const T* in = raw<T>(inputs[0]) + begin;
            T* out = raw<T>(outputs[0]) + begin;
            double norm = 0;
            for (std::int64_t i = 0; i < shape[axis]; ++i) {
                const double x = static_cast<double>(in[i * inner]);
                norm += first_order ? std::abs(x) : x * x;
            }
            if (!first_order) norm = std::sqrt(norm);
            for (std::int64_t i = 0; i < shape[axis]; ++i) {
                out[i * inner] = norm == 0 ? T{0} : static_cast<T>(static_cast<double>(in[i * inner]) / norm);
            }
        }
    });
}

}  // namespace

Family normalization_operators() {
    return {
        {.name = "BatchNormalization",
         .domain = "",
         .min_inputs = 5,
         .max_inputs = 5,
         .max_outputs = 5,
         .infer = infer_batch_norm,
         .run = run_batch_norm,
         .check = check_batch_norm,
         .note = "inference mode"},
        {.name = "GroupNormalization",
         .domain = "",
         .min_opset = 18,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_group_norm,
         .run = run_group_norm},
        {.name = "InstanceNormalization",
         .domain = "",
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_instance_norm,
         .run = run_instance_norm},
        {.name = "LRN", .domain = "", .infer = infer_lrn, .run = run_lrn},
        {.name = "LayerNormalization",
         .domain = "",
         .min_opset = 17,
         .min_inputs = 2,
         .max_inputs = 3,
         .max_outputs = 3,
         .infer = infer_layer_norm,
         .run = run_layer_norm},
        {.name = "LpNormalization",
         .domain = "",
         .infer = infer_lp_norm,
         .run = run_lp_norm,
         .check = check_lp_norm,
         .note = "orders 1 and 2"},
        {.name = "RMSNormalization",
         .domain = "",
         .min_opset = 23,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = infer_layer_norm,
         .run = run_rms_norm},
    };
}

}  // namespace lossmap::ops
