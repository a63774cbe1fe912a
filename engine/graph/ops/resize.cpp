#include <algorithm>
#include <cmath>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// One dimension of a resize.
struct Axis {
    std::int64_t input = 1;
    std::int64_t output = 1;
    double scale = 1;
    double roi_begin = 0;
    double roi_end = 1;
};

/// What the inputs of Upsample and Resize say, read from constants (shape rule) or tensors (kernel).
struct ResizeInputs {
    std::vector<double> roi, scales;
    Ints sizes;
};

bool is_upsample(const Node& node) { return node.op_type == "Upsample"; }

/// Inputs: Upsample (attribute scales below opset 9) and Resize 10: X, scales; Resize from 11 on: X, roi, scales,
/// sizes.
template <typename Source>
ResizeInputs resize_inputs(const Node& node, Source source) {
    ResizeInputs inputs;
    const bool old = is_upsample(node) || node.opset < 11;
    if (node.attributes.has("scales")) inputs.scales = node.attributes.get_floats("scales", {});
    const auto read = [&](std::size_t index) {
        return node.has_input(index) ? read_doubles(source(index)) : std::vector<double>{};
    };
    if (old && node.has_input(1)) inputs.scales = read(1);
    if (old) return inputs;
    inputs.roi = read(1);
    inputs.scales = read(2);
    for (const double size : read(3))
        inputs.sizes.push_back(static_cast<std::int64_t>(size));
    return inputs;
}

void apply_aspect_policy(const Node& node, std::vector<Axis>& axes, const std::vector<std::size_t>& listed) {
    const std::string policy = node.attributes.get_string("keep_aspect_ratio_policy", "stretch");
    if (policy == "stretch" || listed.empty()) return;
    double scale = axes[listed[0]].scale;
    for (const std::size_t axis : listed) {
        scale = policy == "not_larger" ? std::min(scale, axes[axis].scale) : std::max(scale, axes[axis].scale);
    }
    for (const std::size_t axis : listed) {
        axes[axis].scale = scale;
        axes[axis].output = static_cast<std::int64_t>(std::floor(scale * static_cast<double>(axes[axis].input) + 0.5));
    }
}

std::vector<Axis> resize_axes(const Node& node, const Shape& shape, const ResizeInputs& inputs) {
    std::vector<std::size_t> listed;
    Ints all(shape.size());
    for (std::size_t k = 0; k < all.size(); ++k)
        all[k] = static_cast<std::int64_t>(k);
    for (const std::int64_t axis : node.attributes.get_ints("axes", all))
        listed.push_back(axis_index(axis, shape.size()));
    std::vector<Axis> axes(shape.size());
    for (std::size_t k = 0; k < shape.size(); ++k)
        axes[k].input = axes[k].output = shape[k];
    const bool by_size = !inputs.sizes.empty();
    require((by_size ? inputs.sizes.size() : inputs.scales.size()) == listed.size(),
            "{} scales or sizes for {} dimensions", by_size ? inputs.sizes.size() : inputs.scales.size(),
            listed.size());
    for (std::size_t k = 0; k < listed.size(); ++k) {
        Axis& axis = axes[listed[k]];
        const auto extent = static_cast<double>(axis.input);
        axis.scale = by_size ? static_cast<double>(inputs.sizes[k]) / extent : inputs.scales[k];
        require(by_size ? inputs.sizes[k] >= 0 : axis.scale > 0 && axis.scale * extent < 0x1p31,
                "scale {} of dimension {} is not usable", axis.scale, listed[k]);
        axis.output = by_size ? inputs.sizes[k] : static_cast<std::int64_t>(std::floor(extent * axis.scale));
        if (inputs.roi.size() == 2 * listed.size()) {
            axis.roi_begin = inputs.roi[k];
            axis.roi_end = inputs.roi[k + listed.size()];
        }
    }
    if (by_size) apply_aspect_policy(node, axes, listed);
    return axes;
}

/// Where output position `x` lies in the input's coordinates (ONNX Resize, coordinate_transformation_mode).
double source_coordinate(const std::string& mode, const Axis& a, std::int64_t position) {
    const auto x = static_cast<double>(position);
    const auto length = static_cast<double>(a.output);
    const auto extent = static_cast<double>(a.input);
    if (mode == "asymmetric") return x / a.scale;
    if (mode == "align_corners") {
        const double resized = extent * a.scale;  // may be fractional when scales are given
        return a.output == 1 ? 0.0 : x * (extent - 1) / (resized - 1);
    }
    if (mode == "pytorch_half_pixel" && a.output <= 1) return 0.0;
    if (mode == "tf_half_pixel_for_nn") return (x + 0.5) / a.scale;
    if (mode == "tf_crop_and_resize") {
        if (a.output <= 1) return 0.5 * (a.roi_begin + a.roi_end) * (extent - 1);
        return a.roi_begin * (extent - 1) + x * (a.roi_end - a.roi_begin) * (extent - 1) / (length - 1);
    }
    if (mode == "half_pixel_symmetric") {
        const double adjustment = length / (extent * a.scale);
        return extent / 2 * (1 - adjustment) + (x + 0.5) / a.scale - 0.5;
    }
    return (x + 0.5) / a.scale - 0.5;
}

std::int64_t nearest_index(const std::string& mode, double x, std::int64_t extent) {
    double rounded = std::ceil(x - 0.5);  // round_prefer_floor
    if (mode == "round_prefer_ceil") rounded = std::floor(x + 0.5);
    if (mode == "floor") rounded = std::floor(x);
    if (mode == "ceil") rounded = std::ceil(x);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(rounded), 0, extent - 1);
}

struct Mode {
    std::string interpolation;  ///< nearest, linear, cubic
    std::string coordinates;
    std::string nearest;

    explicit Mode(const Node& node) {
        const bool old = is_upsample(node) || node.opset < 11;
        interpolation = node.attributes.get_string("mode", "nearest");
        if (interpolation == "bilinear") interpolation = "linear";  // Upsample 1
        coordinates = old ? "asymmetric" : node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
        nearest = old ? "floor" : node.attributes.get_string("nearest_mode", "round_prefer_floor");
    }
};

/// The input elements that one output position of a dimension is made of, not yet clamped to the input.
struct Taps {
    std::int64_t first = 0;
    std::vector<double> weights;
};

double cubic_weight(double distance, double a) {
    const double x = std::abs(distance);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

/// Linear or cubic taps around coordinate `x`; with antialiasing the kernel is stretched when the image shrinks.
Taps taps_at(const Node& node, bool cubic, double scale, double x) {
    const double a = node.attributes.get_float("cubic_coeff_a", -0.75);
    const bool antialias = node.attributes.get_int("antialias", 0) != 0;
    const double stretch = antialias ? std::min(scale, 1.0) : 1.0;
    const double reach = (cubic ? 2.0 : 1.0) / stretch;
    const double base = std::floor(x);
    const auto start = static_cast<std::int64_t>(std::floor(-reach)) + 1;
    Taps taps;
    taps.first = static_cast<std::int64_t>(base) + start;
    double sum = 0;
    for (std::int64_t k = 0; k < 2 - 2 * start; ++k) {
        const double distance = (static_cast<double>(start + k) - (x - base)) * stretch;
        taps.weights.push_back(cubic ? cubic_weight(distance, a) : std::max(0.0, 1.0 - std::abs(distance)));
        sum += taps.weights.back();
    }
    for (double& weight : taps.weights)
        weight /= sum;
    return taps;
}

void exclude_outside(Taps& taps, std::int64_t extent) {
    double sum = 0;
    for (std::size_t k = 0; k < taps.weights.size(); ++k) {
        const std::int64_t at = taps.first + static_cast<std::int64_t>(k);
        if (at < 0 || at >= extent) taps.weights[k] = 0;
        sum += taps.weights[k];
    }
    for (double& weight : taps.weights)
        weight /= sum;
}

/// Resamples dimension `at` of a tensor of shape `shape` (changed to the new extent).
std::vector<double> resample(const Node& node, const Mode& mode, const Axis& axis, std::size_t at, Shape& shape,
                             const std::vector<double>& in) {
    const std::int64_t outer = extent_product(shape, 0, at);
    const std::int64_t inner = extent_product(shape, at + 1, shape.size());
    std::vector<double> out(static_cast<std::size_t>(element_count(Shape{outer, axis.output, inner})), 0.0);
    for (std::int64_t x = 0; x < axis.output; ++x) {
        Taps taps =
            taps_at(node, mode.interpolation == "cubic", axis.scale, source_coordinate(mode.coordinates, axis, x));
        if (node.attributes.get_int("exclude_outside", 0) != 0) exclude_outside(taps, axis.input);
        for (std::size_t k = 0; k < taps.weights.size(); ++k) {
            if (taps.weights[k] == 0) continue;
            const std::int64_t source =
                std::clamp<std::int64_t>(taps.first + static_cast<std::int64_t>(k), 0, axis.input - 1);
            for (std::int64_t o = 0; o < outer; ++o) {
                const double* from = in.data() + (o * axis.input + source) * inner;
                double* to = out.data() + (o * axis.output + x) * inner;
                for (std::int64_t i = 0; i < inner; ++i)
                    to[i] += taps.weights[k] * from[i];
            }
        }
    }
    shape[at] = axis.output;
    return out;
}

/// With tf_crop_and_resize, output elements whose source lies outside the input get a fixed value.
void fill_outside(const Node& node, const std::vector<Axis>& axes, const TensorView& output) {
    const double value = node.attributes.get_float("extrapolation_value", 0.0);
    visit_float(output.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::size_t at = 0; at < axes.size(); ++at) {
            const std::int64_t outer = extent_product(output.shape, 0, at);
            const std::int64_t inner = extent_product(output.shape, at + 1, output.shape.size());
            for (std::int64_t x = 0; x < axes[at].output; ++x) {
                const double source = source_coordinate("tf_crop_and_resize", axes[at], x);
                if (source >= 0 && source <= static_cast<double>(axes[at].input - 1)) continue;
                for (std::int64_t o = 0; o < outer; ++o)
                    std::fill_n(raw<T>(output) + (o * axes[at].output + x) * inner, inner, static_cast<T>(value));
            }
        }
    });
}

Types infer_resize(const InferenceContext& context) {
    const auto source = [&](std::size_t index) {
        if (context.constants[index] == nullptr) throw UnsupportedError("input {} is not constant", index);
        return context.constants[index]->view();
    };
    if (Mode(context.node).interpolation != "nearest") require_float(context);
    Shape shape;
    for (const Axis& axis : resize_axes(context.node, context.input(0).shape, resize_inputs(context.node, source)))
        shape.push_back(axis.output);
    require(element_count(context.input(0).shape) > 0 || element_count(shape) == 0,
            "an empty tensor cannot be resized");
    return {{context.input(0).dtype, shape}};
}

void run_resize(const Node& node, Inputs inputs, Outputs outputs) {
    const Mode mode(node);
    const auto axes =
        resize_axes(node, inputs[0].shape, resize_inputs(node, [&](std::size_t index) { return inputs[index]; }));
    if (mode.interpolation == "nearest") {
        std::vector<Ints> maps(axes.size());
        for (std::size_t k = 0; k < axes.size(); ++k) {
            for (std::int64_t x = 0; x < axes[k].output; ++x) {
                const bool same = axes[k].input == axes[k].output && mode.coordinates != "tf_crop_and_resize";
                maps[k].push_back(
                    same ? x
                         : nearest_index(mode.nearest, source_coordinate(mode.coordinates, axes[k], x), axes[k].input));
            }
        }
        remap(inputs[0], maps, nullptr, outputs[0]);
    } else {
        Shape shape = inputs[0].shape;
        std::vector<double> values = read_doubles(inputs[0]);
        for (std::size_t k = 0; k < axes.size(); ++k) {
            const bool same =
                axes[k].input == axes[k].output && axes[k].scale == 1 && mode.coordinates != "tf_crop_and_resize";
            if (!same) values = resample(node, mode, axes[k], k, shape, values);
        }
        convert_elements(ConstTensorView(DType::f64, shape, values.data()), outputs[0]);
    }
    if (mode.coordinates == "tf_crop_and_resize") fill_outside(node, axes, outputs[0]);
}

std::string check_resize(const Node& node) {
    const Mode mode(node);
    const auto one_of = [](const std::string& text, std::initializer_list<const char*> known) {
        return std::ranges::any_of(known, [&](const char* word) { return text == word; });
    };
    if (!one_of(mode.interpolation, {"nearest", "linear", "cubic"}))
        return fmt::format("mode '{}' is not supported", mode.interpolation);
    if (!one_of(mode.coordinates, {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                   "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"})) {
        return fmt::format("coordinate_transformation_mode '{}' is not supported", mode.coordinates);
    }
    return "";
}

}  // namespace

Family resize_operators() {
    constexpr std::string_view kNote = "scales, sizes and roi must be constant";
    return {
        {.name = "Resize",
         .domain = "",
         .min_opset = 10,
         .max_inputs = 4,
         .infer = infer_resize,
         .run = run_resize,
         .check = check_resize,
         .note = kNote},
        {.name = "Upsample",
         .domain = "",
         .min_opset = 7,
         .max_opset = 9,
         .max_inputs = 2,
         .infer = infer_resize,
         .run = run_resize,
         .check = check_resize,
         .note = kNote},
    };
}

}  // namespace lossmap::ops
