#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// The tensor a Constant node stands for, whichever of its attributes holds it. Narrow floating-point types become f32.
Tensor constant_value(const Node& node) {
    const Attributes& attributes = node.attributes;
    if (const auto tensor = attributes.get_tensor("value")) {
        const bool narrow = tensor->dtype() == DType::f16 || tensor->dtype() == DType::bf16;
        if (!narrow) return tensor->clone();
        Tensor single(DType::f32, tensor->shape());
        convert_elements(tensor->view(), single.view());
        return single;
    }
    if (attributes.has("value_int")) return Tensor::scalar<std::int64_t>(attributes.get_int("value_int"));
    if (attributes.has("value_float"))
        return Tensor::scalar(static_cast<float>(attributes.get_float("value_float", 0)));
    if (attributes.has("value_ints")) {
        const Ints values = attributes.get_ints("value_ints", {});
        return Tensor::from<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
    }
    if (attributes.has("value_floats")) {
        const std::vector<double> values = attributes.get_floats("value_floats", {});
        const std::vector<float> singles(values.begin(), values.end());
        return Tensor::from<float>(singles, {static_cast<std::int64_t>(values.size())});
    }
    throw UnsupportedError("a constant of strings or a sparse constant is not supported");
}

std::string check_constant(const Node& node) {
    for (const char* name : {"value", "value_int", "value_float", "value_ints", "value_floats"}) {
        if (node.attributes.has(name)) return "";
    }
    return "a constant of strings or a sparse constant is not supported";
}

Types infer_constant(const InferenceContext& context) {
    const Tensor value = constant_value(context.node);
    return {{value.dtype(), value.shape()}};
}

void run_constant(const Node& node, Inputs, Outputs outputs) {
    const Tensor value = constant_value(node);
    copy_bytes(value.view(), outputs[0]);
}

DType fill_dtype(const Node& node) {
    const auto value = node.attributes.get_tensor("value");
    if (!value) return DType::f32;
    const bool narrow = value->dtype() == DType::f16 || value->dtype() == DType::bf16;
    return narrow ? DType::f32 : value->dtype();
}

Types infer_constant_of_shape(const InferenceContext& context) {
    const Ints shape = context.constant_ints(0);
    (void)element_count(shape);  // refuses negative extents
    return {{fill_dtype(context.node), shape}};
}

template <typename T>
void fill(const TensorView& output, const T* value) {
    std::fill_n(raw<T>(output), output.count(), *value);
}

void run_constant_of_shape(const Node& node, Inputs, Outputs outputs) {
    Tensor one(outputs[0].dtype, {1});
    std::memset(one.data(), 0, one.size_bytes());
    if (const auto value = node.attributes.get_tensor("value")) {
        require(value->count() == 1, "the fill value has {} elements, expected 1", value->count());
        convert_elements(ConstTensorView(value->dtype(), {1}, value->data()), one.view());
    }
    visit_size(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        fill(outputs[0], static_cast<const T*>(std::as_const(one).data()));
    });
}

/// Number of elements of Range: max(ceil((limit - start) / delta), 0).
std::int64_t range_count(const ConstTensorView& start, const ConstTensorView& limit, const ConstTensorView& delta) {
    if (is_integer(start.dtype)) {
        Ints bounds;
        for (const auto* view : {&start, &limit, &delta}) {
            std::int64_t bound = 0;
            require(view->count() >= 1, "start, limit and delta must be scalars");
            convert_elements(ConstTensorView(view->dtype, {}, view->data), TensorView{DType::i64, {}, &bound});
            bounds.push_back(bound);
        }
        require(bounds[2] != 0, "delta is 0");
        const double exact =
            (static_cast<double>(bounds[1]) - static_cast<double>(bounds[0])) / static_cast<double>(bounds[2]);
        if (exact <= 0) return 0;
        require(exact < 0x1p31, "a range of {} elements is too long", exact);
        const std::int64_t span = bounds[1] - bounds[0];
        return span / bounds[2] + (span % bounds[2] != 0);
    }
    const double step = read_scalar(delta);
    const double count = std::ceil((read_scalar(limit) - read_scalar(start)) / step);
    require(step != 0 && std::isfinite(count) && count < 0x1p31, "a range from {} to {} by {} is not finite",
            read_scalar(start), read_scalar(limit), step);
    return count > 0 ? static_cast<std::int64_t>(count) : 0;
}

Types infer_range(const InferenceContext& context) {
    require_same_dtype(context, 3);
    for (std::size_t index = 0; index < 3; ++index) {
        if (context.constants[index] == nullptr) {
            throw UnsupportedError("its length depends on input {}, which is not constant", index);
        }
    }
    return {{context.input(0).dtype,
             {range_count(context.constants[0]->view(), context.constants[1]->view(), context.constants[2]->view())}}};
}

void run_range(const Node& node, Inputs inputs, Outputs outputs) {
    run_widened(node, inputs, outputs, [](const Node&, Inputs in, Outputs out) {
        visit_wide(in[0].dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T start = *raw<T>(in[0]);
            const T delta = *raw<T>(in[2]);
            const auto result = out[0].as<T>();
            for (std::size_t i = 0; i < result.size(); ++i)
                result[i] = static_cast<T>(start + static_cast<T>(i) * delta);
        });
    });
}

Types infer_eye_like(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    require(input.shape.size() == 2, "input has shape {}, expected a matrix", to_string(input.shape));
    const auto& attributes = context.node.attributes;
    return {{attributes.has("dtype") ? dtype_from_onnx(attributes.get_int("dtype")) : input.dtype, input.shape}};
}

void run_eye_like(const Node& node, Inputs, Outputs outputs) {
    const std::int64_t diagonal = node.attributes.get_int("k", 0);
    const std::int64_t rows = outputs[0].shape[0];
    const std::int64_t columns = outputs[0].shape[1];
    visit_any(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T* out = raw<T>(outputs[0]);
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t column = 0; column < columns; ++column) {
                out[row * columns + column] = static_cast<T>(column - row == diagonal);
            }
        }
    });
}

}  // namespace

Family constant_operators() {
    return {
        {.name = "Constant",
         .domain = "",
         .min_inputs = 0,
         .max_inputs = 0,
         .infer = infer_constant,
         .run = run_constant,
         .check = check_constant},
        {.name = "ConstantOfShape",
         .domain = "",
         .min_opset = 9,
         .infer = infer_constant_of_shape,
         .run = run_constant_of_shape,
         .note = "the shape must not depend on the data"},
        {.name = "EyeLike", .domain = "", .min_opset = 9, .infer = infer_eye_like, .run = run_eye_like},
        {.name = "Range",
         .domain = "",
         .min_opset = 11,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_range,
         .run = run_range,
         .note = "the bounds must not depend on the data"},
    };
}

}  // namespace lossmap::ops
