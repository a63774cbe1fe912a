#include <algorithm>
#include <cstring>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

/// An index counted from the end when negative. Throws InputError when it is outside [-extent, extent).
std::int64_t wrap_index(std::int64_t index, std::int64_t extent) {
    require(index >= -extent && index < extent, "index {} is outside a dimension of {}", index, extent);
    return index < 0 ? index + extent : index;
}

void require_indices(const InferenceContext& context, std::size_t index) {
    const DType dtype = context.input(index).dtype;
    require(dtype == DType::i32 || dtype == DType::i64, "indices have element type {}, expected i32 or i64",
            name_of(dtype));
}

Types infer_gather(const InferenceContext& context) {
    require_indices(context, 1);
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", 0), data.size());
    Shape shape(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(axis));
    shape.insert(shape.end(), indices.begin(), indices.end());
    shape.insert(shape.end(), data.begin() + static_cast<std::ptrdiff_t>(axis) + 1, data.end());
    return {{context.input(0).dtype, shape}};
}

void run_gather(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& data = inputs[0].shape;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", 0), data.size());
    const std::int64_t outer = extent_product(data, 0, axis);
    const std::int64_t inner =
        extent_product(data, axis + 1, data.size()) * static_cast<std::int64_t>(size_of(inputs[0].dtype));
    if (outputs[0].count() == 0) return;
    Ints indices = read_ints(inputs[1]);
    for (std::int64_t& index : indices)
        index = wrap_index(index, data[axis]);
    char* out = raw<char>(outputs[0]);
    for (std::int64_t o = 0; o < outer; ++o) {
        const char* base = raw<char>(inputs[0]) + o * data[axis] * inner;
        for (const std::int64_t index : indices) {
            std::memcpy(out, base + index * inner, static_cast<std::size_t>(inner));
            out += inner;
        }
    }
}

/// Flat position in the data of each element of `indices`, which replaces the coordinate along `axis`.
Ints element_positions(const Node& node, const ConstTensorView& data, const ConstTensorView& indices) {
    const std::size_t axis = axis_index(node.attributes.get_int("axis", 0), data.shape.size());
    const Shape strides = row_major_strides(data.shape);
    Ints positions = read_ints(indices);
    Shape at(data.shape.size(), 0);
    for (std::int64_t& position : positions) {
        std::int64_t flat = wrap_index(position, data.shape[axis]) * strides[axis];
        for (std::size_t k = 0; k < at.size(); ++k) {
            if (k != axis) flat += at[k] * strides[k];
        }
        position = flat;
        for (std::size_t k = at.size(); k-- > 0;) {
            if (++at[k] < indices.shape[k]) break;
            at[k] = 0;
        }
    }
    return positions;
}

void require_element_indices(const InferenceContext& context) {
    require_indices(context, 1);
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", 0), data.size());
    bool fits = indices.size() == data.size();
    for (std::size_t k = 0; fits && k < data.size(); ++k)
        fits = k == axis || indices[k] <= data[k];
    require(fits, "indices of shape {} do not fit data of shape {}", to_string(indices), to_string(data));
}

Types infer_gather_elements(const InferenceContext& context) {
    require_element_indices(context);
    return {{context.input(0).dtype, context.input(1).shape}};
}

void run_gather_elements(const Node& node, Inputs inputs, Outputs outputs) {
    const Ints positions = element_positions(node, inputs[0], inputs[1]);
    visit_size(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        for (std::size_t i = 0; i < positions.size(); ++i)
            raw<T>(outputs[0])[i] = raw<T>(inputs[0])[positions[i]];
    });
}

/// Reduction of Scatter operators; "none" overwrites.
template <typename T>
T combine(const std::string& reduction, T old, T update) {
    if (reduction == "add") return static_cast<T>(old + update);
    if (reduction == "mul") return static_cast<T>(old * update);
    if (reduction == "max") return update > old || update != update ? update : old;
    if (reduction == "min") return update < old || update != update ? update : old;
    return update;
}

/// output = data, then blocks of `block` elements of updates combined at the given flat positions.
void scatter(const Node& node, Inputs inputs, Outputs outputs, const Ints& positions, std::int64_t block) {
    const std::string reduction = node.attributes.get_string("reduction", "none");
    copy_bytes(inputs[0], outputs[0]);
    visit_any(inputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T* out = raw<T>(outputs[0]);
        const T* updates = raw<T>(inputs[2]);
        for (const std::int64_t position : positions) {
            for (std::int64_t i = 0; i < block; ++i, ++updates)
                out[position + i] = combine(reduction, out[position + i], *updates);
        }
    });
}

Types infer_scatter_elements(const InferenceContext& context) {
    require_element_indices(context);
    require(context.input(1).shape == context.input(2).shape, "indices have shape {}, updates {}",
            to_string(context.input(1).shape), to_string(context.input(2).shape));
    require(context.input(2).dtype == context.input(0).dtype, "updates and data differ in element type");
    return same_as_first(context);
}

void run_scatter_elements(const Node& node, Inputs inputs, Outputs outputs) {
    scatter(node, inputs, outputs, element_positions(node, inputs[0], inputs[1]), 1);
}

std::string check_reduction(const Node& node) {
    const std::string reduction = node.attributes.get_string("reduction", "none");
    for (const char* known : {"none", "add", "mul", "max", "min"}) {
        if (reduction == known) return "";
    }
    return fmt::format("reduction '{}' is not supported", reduction);
}

/// GatherND and ScatterND: the last dimension of `indices` holds coordinates of the leading `width` dimensions (behind
/// `batch` shared ones).
struct NdGeometry {
    std::size_t batch = 0;
    std::size_t width = 0;
    std::int64_t block = 1;  ///< elements a coordinate stands for
};

NdGeometry nd_geometry(const Node& node, const Shape& data, const Shape& indices) {
    require(!indices.empty() && !data.empty(), "data and indices must have dimensions");
    NdGeometry g;
    const std::int64_t batch = node.attributes.get_int("batch_dims", 0);
    require(batch >= 0 && batch < static_cast<std::int64_t>(indices.size()), "batch_dims is {}", batch);
    g.batch = static_cast<std::size_t>(batch);
    require(indices.back() >= 0 && indices.back() + batch <= static_cast<std::int64_t>(data.size()),
            "indices of shape {} do not fit data of shape {}", to_string(indices), to_string(data));
    g.width = static_cast<std::size_t>(indices.back());
    for (std::size_t k = 0; k < g.batch; ++k) {
        require(data[k] == indices[k], "batch dimensions of {} and {} differ", to_string(data), to_string(indices));
    }
    g.block = extent_product(data, g.batch + g.width, data.size());
    return g;
}

Ints nd_positions(const NdGeometry& g, const ConstTensorView& data, const ConstTensorView& indices) {
    const Shape strides = row_major_strides(data.shape);
    const Ints coordinates = read_ints(indices);
    const std::int64_t batches = extent_product(data.shape, 0, g.batch);
    const std::int64_t per_batch = extent_product(indices.shape, g.batch, indices.shape.size() - 1);
    const std::int64_t batch_stride = extent_product(data.shape, g.batch, data.shape.size());
    Ints positions;
    std::size_t at = 0;
    for (std::int64_t b = 0; b < batches; ++b) {
        for (std::int64_t i = 0; i < per_batch; ++i) {
            std::int64_t flat = b * batch_stride;
            for (std::size_t k = 0; k < g.width; ++k) {
                flat += wrap_index(coordinates[at++], data.shape[g.batch + k]) * strides[g.batch + k];
            }
            positions.push_back(flat);
        }
    }
    return positions;
}

Types infer_gather_nd(const InferenceContext& context) {
    require_indices(context, 1);
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    const NdGeometry g = nd_geometry(context.node, data, indices);
    Shape shape(indices.begin(), indices.end() - 1);
    shape.insert(shape.end(), data.begin() + static_cast<std::ptrdiff_t>(g.batch + g.width), data.end());
    return {{context.input(0).dtype, shape}};
}

void run_gather_nd(const Node& node, Inputs inputs, Outputs outputs) {
    const NdGeometry g = nd_geometry(node, inputs[0].shape, inputs[1].shape);
    const auto width = static_cast<std::size_t>(g.block) * size_of(inputs[0].dtype);
    char* out = raw<char>(outputs[0]);
    if (outputs[0].count() == 0) return;
    for (const std::int64_t position : nd_positions(g, inputs[0], inputs[1])) {
        std::memcpy(out, raw<char>(inputs[0]) + static_cast<std::size_t>(position) * size_of(inputs[0].dtype), width);
        out += width;
    }
}

Types infer_scatter_nd(const InferenceContext& context) {
    require_indices(context, 1);
    const Shape& data = context.input(0).shape;
    const Shape& indices = context.input(1).shape;
    const NdGeometry g = nd_geometry(context.node, data, indices);
    Shape expected(indices.begin(), indices.end() - 1);
    expected.insert(expected.end(), data.begin() + static_cast<std::ptrdiff_t>(g.width), data.end());
    require(context.input(2).shape == expected, "updates have shape {}, expected {}", to_string(context.input(2).shape),
            to_string(expected));
    require(context.input(2).dtype == context.input(0).dtype, "updates and data differ in element type");
    return same_as_first(context);
}

void run_scatter_nd(const Node& node, Inputs inputs, Outputs outputs) {
    const NdGeometry g = nd_geometry(node, inputs[0].shape, inputs[1].shape);
    scatter(node, inputs, outputs, nd_positions(g, inputs[0], inputs[1]), g.block);
}

Types infer_one_hot(const InferenceContext& context) {
    const TensorType& indices = context.input(0);
    if (context.constants[1] == nullptr) throw UnsupportedError("its depth is not constant");
    const double depth = read_scalar(context.constants[1]->view());
    require(depth >= 0 && depth < 0x1p31, "depth is {}", depth);
    require(element_count(context.input(2).shape) == 2, "values have shape {}, expected [2]",
            to_string(context.input(2).shape));
    Shape shape = indices.shape;
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", -1), shape.size() + 1);
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), static_cast<std::int64_t>(depth));
    return {{context.input(2).dtype, shape}};
}

void run_one_hot(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& shape = outputs[0].shape;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", -1), shape.size());
    const std::int64_t outer = extent_product(shape, 0, axis);
    const std::int64_t depth = shape[axis];
    const std::int64_t inner = extent_product(shape, axis + 1, shape.size());
    Tensor wide(DType::i64, inputs[0].shape);
    convert_elements(inputs[0], wide.view());
    const auto indices = wide.as<std::int64_t>();
    visit_size(outputs[0].dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T* values = raw<T>(inputs[2]);
        T* out = raw<T>(outputs[0]);
        std::fill_n(out, outputs[0].count(), values[0]);
        for (std::int64_t o = 0; o < outer; ++o) {
            for (std::int64_t i = 0; i < inner; ++i) {
                std::int64_t index = indices[static_cast<std::size_t>(o * inner + i)];
                if (index < 0) index += depth;
                if (index >= 0 && index < depth) out[(o * depth + index) * inner + i] = values[1];  // others: all off
            }
        }
    });
}

/// Coordinates of the non-zero elements; only of constants, as the shape depends on the values.
Ints nonzero_positions(const ConstTensorView& view) {
    Ints positions;
    visit_any(view.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const std::int64_t count = view.count();
        for (std::int64_t i = 0; i < count; ++i) {
            if (raw<T>(view)[i] != T{}) positions.push_back(i);
        }
    });
    return positions;
}

Types infer_non_zero(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    if (context.constants[0] == nullptr) throw UnsupportedError("the shape of its result depends on the data");
    const auto count = static_cast<std::int64_t>(nonzero_positions(context.constants[0]->view()).size());
    return {{DType::i64, {static_cast<std::int64_t>(input.shape.size()), count}}};
}

void run_non_zero(const Node&, Inputs inputs, Outputs outputs) {
    const Ints positions = nonzero_positions(inputs[0]);
    const Shape strides = row_major_strides(inputs[0].shape);
    const auto out = outputs[0].as<std::int64_t>();
    std::size_t next = 0;
    for (std::size_t axis = 0; axis < strides.size(); ++axis) {
        for (const std::int64_t position : positions)
            out[next++] = position / strides[axis] % inputs[0].shape[axis];
    }
}

}  // namespace

Family indexing_operators() {
    return {
        {.name = "Gather", .domain = "", .min_inputs = 2, .max_inputs = 2, .infer = infer_gather, .run = run_gather},
        {.name = "GatherElements",
         .domain = "",
         .min_opset = 11,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = infer_gather_elements,
         .run = run_gather_elements},
        {.name = "GatherND",
         .domain = "",
         .min_opset = 11,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = infer_gather_nd,
         .run = run_gather_nd},
        {.name = "NonZero",
         .domain = "",
         .min_opset = 9,
         .infer = infer_non_zero,
         .run = run_non_zero,
         .note = "of constants only"},
        {.name = "OneHot",
         .domain = "",
         .min_opset = 9,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_one_hot,
         .run = run_one_hot,
         .note = "the depth must be constant"},
        {.name = "Scatter",
         .domain = "",
         .min_opset = 9,
         .max_opset = 10,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_scatter_elements,
         .run = run_scatter_elements},
        {.name = "ScatterElements",
         .domain = "",
         .min_opset = 11,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_scatter_elements,
         .run = run_scatter_elements,
         .check = check_reduction},
        {.name = "ScatterND",
         .domain = "",
         .min_opset = 11,
         .min_inputs = 3,
         .max_inputs = 3,
         .infer = infer_scatter_nd,
         .run = run_scatter_nd,
         .check = check_reduction},
    };
}

}  // namespace lossmap::ops
