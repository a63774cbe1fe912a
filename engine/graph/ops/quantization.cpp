#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// Which scale an element uses: one for all, one a slice along `axis`, or (block_size, opset 21) one a block along it.
struct ScaleMap {
    std::int64_t extent = 1, inner = 1, block = 1, scales = 1;
    bool single = true;
    bool blocked = false;

    ScaleMap(const Node& node, const Shape& input, const Shape& scale) {
        if (element_count(scale) == 1 && scale.size() <= 1) return;
        single = false;
        const std::size_t axis = axis_index(node.attributes.get_int("axis", 1), input.size());
        extent = input[axis];
        inner = extent_product(input, axis + 1, input.size());
        if (scale.size() == 1) {
            require(scale[0] == extent, "{} scales for a dimension of {}", scale[0], extent);
            return;
        }
        block = node.attributes.get_int("block_size", 0);
        blocked = true;
        require(scale.size() == input.size() && block > 0, "scale of shape {} does not fit input of shape {}",
                to_string(scale), to_string(input));
        scales = scale[axis];
        for (std::size_t k = 0; k < input.size(); ++k) {
            const std::int64_t expected = k == axis ? (extent + block - 1) / block : input[k];
            require(scale[k] == expected, "scale of shape {} does not fit input of shape {}", to_string(scale),
                    to_string(input));
        }
    }
    [[nodiscard]] std::size_t index(std::int64_t element) const {
        if (single) return 0;
        const std::int64_t along = element / inner % extent;
        if (!blocked) return static_cast<std::size_t>(along);
        return static_cast<std::size_t>((element / (inner * extent) * scales + along / block) * inner +
                                        element % inner);
    }
};

DType quantized_type(const InferenceContext& context) {
    if (context.node.has_input(2)) return context.input(2).dtype;
    const std::int64_t stated = context.node.attributes.get_int("output_dtype", 0);
    return stated == 0 ? DType::u8 : dtype_from_onnx(stated);
}

Types infer_quantize(const InferenceContext& context) {
    (void)ScaleMap(context.node, context.input(0).shape, context.input(1).shape);
    return {{quantized_type(context), context.input(0).shape}};
}

Types infer_dequantize(const InferenceContext& context) {
    (void)ScaleMap(context.node, context.input(0).shape, context.input(1).shape);
    return {{context.input(1).dtype, context.input(0).shape}};
}

std::vector<double> zero_points(const Node& node, Inputs inputs) {
    return node.has_input(2) ? read_doubles(inputs[2])
                             : std::vector<double>(static_cast<std::size_t>(inputs[1].count()), 0.0);
}

/// saturate(round_half_even(x / scale) + zero_point)
void run_quantize(const Node& node, Inputs inputs, Outputs outputs) {
    const ScaleMap map(node, inputs[0].shape, inputs[1].shape);
    const std::vector<double> values = read_doubles(inputs[0]);
    const std::vector<double> scales = read_doubles(inputs[1]);
    const std::vector<double> zeros = zero_points(node, inputs);
    visit_any(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto low = static_cast<double>(std::numeric_limits<T>::lowest());
        const auto high = static_cast<double>(std::numeric_limits<T>::max());
        T* out = raw<T>(outputs[0]);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const std::size_t k = map.index(static_cast<std::int64_t>(i));
            const double quotient = static_cast<double>(static_cast<float>(values[i]) / static_cast<float>(scales[k]));
            const double shifted = std::nearbyint(quotient) + zeros[k];
            out[i] = std::isnan(shifted) ? T{} : static_cast<T>(std::clamp(shifted, low, high));
        }
    });
}

/// (x - zero_point) * scale
void run_dequantize(const Node& node, Inputs inputs, Outputs outputs) {
    const ScaleMap map(node, inputs[0].shape, inputs[1].shape);
    std::vector<double> values = read_doubles(inputs[0]);
    const std::vector<double> scales = read_doubles(inputs[1]);
    const std::vector<double> zeros = zero_points(node, inputs);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t k = map.index(static_cast<std::int64_t>(i));
        values[i] = (values[i] - zeros[k]) * scales[k];
    }
    convert_elements(ConstTensorView(DType::f64, outputs[0].shape, values.data()), outputs[0]);
}

}  // namespace

Family quantization_operators() {
    constexpr std::string_view kNote = "integers of 8, 16 and 32 bits";
    return {
        {.name = "DequantizeLinear",
         .domain = "",
         .min_opset = 10,
         .min_inputs = 2,
         .max_inputs = 3,
         .infer = infer_dequantize,
         .run = run_dequantize,
         .note = kNote},
        {.name = "QuantizeLinear",
         .domain = "",
         .min_opset = 10,
         .min_inputs = 2,
         .max_inputs = 3,
         .infer = infer_quantize,
         .run = run_quantize,
         .note = kNote},
    };
}

}  // namespace lossmap::ops
