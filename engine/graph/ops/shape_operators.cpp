#include <algorithm>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

void run_copy(const Node&, Inputs inputs, Outputs outputs) { copy_bytes(inputs[0], outputs[0]); }

/// Target of Reshape: 0 copies the input's extent (unless allowzero), -1 takes what is left.
Types infer_reshape(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    const auto target = ints_of(context, "shape", 1);
    require(target.has_value(), "the target shape is missing");
    const bool allow_zero = context.node.attributes.get_int("allowzero", 0) != 0;
    Shape shape = *target;
    std::size_t wildcard = shape.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == -1) {
            require(wildcard == shape.size(), "target {} has more than one -1", to_string(*target));
            wildcard = axis;
            shape[axis] = 1;
        } else if (shape[axis] == 0 && !allow_zero) {
            require(axis < input.shape.size(), "target {} copies dimension {} of an input of shape {}",
                    to_string(*target), axis, to_string(input.shape));
            shape[axis] = input.shape[axis];
        }
    }
    const std::int64_t count = element_count(input.shape);
    if (wildcard < shape.size()) {
        const std::int64_t rest = element_count(shape);
        require(rest > 0 && count % rest == 0, "an input of shape {} cannot take the shape {}", to_string(input.shape),
                to_string(*target));
        shape[wildcard] = count / rest;
    }
    require(element_count(shape) == count, "an input of shape {} cannot take the shape {}", to_string(input.shape),
            to_string(*target));
    return {{input.dtype, shape}};
}

Types infer_flatten(const InferenceContext& context) {
    const Shape& shape = context.input(0).shape;
    const auto rank = static_cast<std::int64_t>(shape.size());
    std::int64_t axis = context.node.attributes.get_int("axis", 1);
    require(axis >= -rank && axis <= rank, "axis {} is outside a tensor of {} dimensions", axis, rank);
    if (axis < 0) axis += rank;
    const auto split = static_cast<std::size_t>(axis);
    return {{context.input(0).dtype, {extent_product(shape, 0, split), extent_product(shape, split, shape.size())}}};
}

Types infer_squeeze(const InferenceContext& context) {
    const Shape& shape = context.input(0).shape;
    const auto axes = ints_of(context, "axes", 1);
    std::vector<bool> drop(shape.size(), false);
    if (axes) {
        for (const std::int64_t axis : *axes) {
            const std::size_t index = axis_index(axis, shape.size());
            require(shape[index] == 1, "dimension {} of shape {} is not 1 and cannot be squeezed", axis,
                    to_string(shape));
            drop[index] = true;
        }
    } else {
        for (std::size_t axis = 0; axis < shape.size(); ++axis)
            drop[axis] = shape[axis] == 1;
    }
    Shape result;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (!drop[axis]) result.push_back(shape[axis]);
    }
    return {{context.input(0).dtype, result}};
}

Types infer_unsqueeze(const InferenceContext& context) {
    const Shape& shape = context.input(0).shape;
    const auto axes = ints_of(context, "axes", 1);
    require(axes.has_value(), "the axes are missing");
    Shape result(shape.size() + axes->size(), -1);
    for (const std::int64_t axis : *axes) {
        const std::size_t index = axis_index(axis, result.size());
        require(result[index] == -1, "axis {} is named twice", axis);
        result[index] = 1;
    }
    std::size_t next = 0;
    for (std::int64_t& extent : result) {
        if (extent == -1) extent = shape[next++];
    }
    return {{context.input(0).dtype, result}};
}

Types infer_dropout(const InferenceContext& context) {
    Types types = same_as_first(context);
    if (context.node.has_output(1)) types.push_back({DType::boolean, context.input(0).shape});
    return types;
}

/// Inference mode: the input, and a mask of ones.
void run_dropout(const Node& node, Inputs inputs, Outputs outputs) {
    if (node.has_input(2)) {
        require(!*raw<bool>(inputs[2]), "training mode is not supported");
    }
    if (node.has_output(0)) copy_bytes(inputs[0], outputs[0]);
    if (node.has_output(1)) std::ranges::fill(outputs[1].as<bool>(), true);
}

/// [begin, end) of the dimensions that Shape returns (attributes start and end, opset 15).
std::pair<std::size_t, std::size_t> shape_range(const Node& node, std::size_t rank) {
    const auto signed_rank = static_cast<std::int64_t>(rank);
    const auto clamp = [&](std::int64_t at) {
        return std::clamp<std::int64_t>(at < 0 ? at + signed_rank : at, 0, signed_rank);
    };
    const std::int64_t begin = clamp(node.attributes.get_int("start", 0));
    const std::int64_t end = clamp(node.attributes.get_int("end", signed_rank));
    return {static_cast<std::size_t>(begin), static_cast<std::size_t>(std::max(begin, end))};
}

Types infer_shape(const InferenceContext& context) {
    const auto [begin, end] = shape_range(context.node, context.input(0).shape.size());
    return {{DType::i64, {static_cast<std::int64_t>(end - begin)}}};
}

void run_shape(const Node& node, Inputs inputs, Outputs outputs) {
    const auto [begin, end] = shape_range(node, inputs[0].shape.size());
    std::copy(inputs[0].shape.begin() + static_cast<std::ptrdiff_t>(begin),
              inputs[0].shape.begin() + static_cast<std::ptrdiff_t>(end), outputs[0].as<std::int64_t>().begin());
}

Types infer_size(const InferenceContext&) { return {{DType::i64, {}}}; }

void run_size(const Node&, Inputs inputs, Outputs outputs) { outputs[0].as<std::int64_t>()[0] = inputs[0].count(); }

Types infer_cast(const InferenceContext& context) {
    return {{dtype_from_onnx(context.node.attributes.get_int("to")), context.input(0).shape}};
}

Types infer_cast_like(const InferenceContext& context) { return {{context.input(1).dtype, context.input(0).shape}}; }

void run_cast(const Node&, Inputs inputs, Outputs outputs) { convert_elements(inputs[0], outputs[0]); }

std::string check_cast(const Node& node) {
    try {
        (void)dtype_from_onnx(node.attributes.get_int("to"));
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

constexpr std::string_view kFloatNote = "f16, bf16 and f64 are computed in f32";

}  // namespace

Family shape_operators() {
    return {
        {.name = "Cast", .domain = "", .infer = infer_cast, .run = run_cast, .check = check_cast, .note = kFloatNote},
        {.name = "CastLike",
         .domain = "",
         .min_opset = 15,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = infer_cast_like,
         .run = run_cast,
         .note = kFloatNote},
        {.name = "Dropout",
         .domain = "",
         .max_inputs = 3,
         .max_outputs = 2,
         .infer = infer_dropout,
         .run = run_dropout,
         .note = "inference mode"},
        {.name = "Flatten", .domain = "", .infer = infer_flatten, .run = run_copy},
        {.name = "Identity", .domain = "", .infer = same_as_first, .run = run_copy},
        {.name = "Reshape", .domain = "", .max_inputs = 2, .infer = infer_reshape, .run = run_copy},
        {.name = "Shape", .domain = "", .infer = infer_shape, .run = run_shape},
        {.name = "Size", .domain = "", .infer = infer_size, .run = run_size},
        {.name = "Squeeze", .domain = "", .max_inputs = 2, .infer = infer_squeeze, .run = run_copy},
        {.name = "Unsqueeze", .domain = "", .max_inputs = 2, .infer = infer_unsqueeze, .run = run_copy},
    };
}

}  // namespace lossmap::ops
