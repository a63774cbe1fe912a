#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <span>
#include <string_view>

#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::array<std::string_view, 6> kReshapes{"Reshape",   "Flatten",  "Squeeze",
                                                    "Unsqueeze", "Identity", "Dropout"};

bool is_reshape(const Node& node) {
    return node.domain.empty() && std::find(kReshapes.begin(), kReshapes.end(), node.op_type) != kReshapes.end();
}

void define_reshaped(ProgramBuilder& builder, ValueId from, ValueId to) {
    const Shape& shape = builder.shape(to);
    const Located array = builder.find(from);
    Located view = array;
    const auto strides = reshaped_strides(array.shape, array.strides, shape);
    if (strides) {
        view.strides = *strides;
    } else {
        view = builder.read(from, {Demand::Form::dense, {}});
        view.strides = row_major_strides(shape);
    }
    builder.define(to, view);
}

void define_transposed(ProgramBuilder& builder, const Node& node) {
    Located view = builder.find(node.inputs[0]);
    std::vector<std::int64_t> order(view.shape.size());
    std::iota(order.rbegin(), order.rend(), 0);
    Shape strides;
    for (const std::int64_t axis : node.attributes.get_ints("perm", order))
        strides.push_back(view.strides[static_cast<std::size_t>(axis)]);
    view.strides = std::move(strides);
    builder.define(node.outputs[0], view);
}

void define_expanded(ProgramBuilder& builder, const Node& node) {
    Located view = builder.find(node.inputs[0]);
    view.strides = broadcast_strides(view.shape, view.strides, builder.shape(node.outputs[0]));
    builder.define(node.outputs[0], view);
}

void define_split(ProgramBuilder& builder, const Node& node) {
    const Located whole = builder.find(node.inputs[0]);
    const auto axis = static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", 0), whole.shape.size()));
    std::int64_t begin = 0;
    for (const ValueId output : node.outputs) {
        // An output that nothing reads still takes up its part.
        if (output == kNoValue) throw UnsupportedError("an omitted output is not supported on the GPU");
        Located part = whole;
        part.offset += begin * whole.strides[axis];
        begin += builder.shape(output)[axis];
        builder.define(output, part);
    }
}

/// Whether a Cast changes nothing.
bool keeps_type(const ProgramBuilder& builder, const Node& node) {
    return (node.op_type == "Cast" || node.op_type == "CastLike") && node.domain.empty() &&
           builder.value(node.inputs[0]).dtype == builder.value(node.outputs[0]).dtype;
}

/// One element in memory, wherever it is read.
void define_filled(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    Tensor one(builder.value(output).dtype, {1});
    std::memset(one.data(), 0, one.size_bytes());
    if (const auto value = node.attributes.get_tensor("value"))
        ops::convert_elements(ConstTensorView(value->dtype(), {1}, value->data()), one.view());
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(one.data()), one.size_bytes());
    Located view = builder.constant_bytes(bytes, one.dtype(), {1});
    view.shape = builder.shape(output);
    view.strides.assign(view.shape.size(), 0);
    builder.define(output, view);
}

/// A Gather of one constant position: a slice without its dimension.
bool define_picked(ProgramBuilder& builder, const Node& node) {
    const Tensor* index = builder.constant(node.inputs[1]);
    if (index == nullptr || index->count() != 1 || index->dtype() != DType::i64) return false;
    Located view = builder.find(node.inputs[0]);
    const auto axis = static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", 0), view.shape.size()));
    std::int64_t position = index->as<std::int64_t>()[0];
    if (position < 0) position += view.shape[axis];
    if (position < 0 || position >= view.shape[axis]) return false;
    view.offset += position * view.strides[axis];
    const auto at = static_cast<std::ptrdiff_t>(axis);
    view.strides.erase(view.strides.begin() + at);
    view.strides.insert(view.strides.begin() + at, index->shape().size(), 0);
    builder.define(node.outputs[0], view);
    return true;
}

}  // namespace

bool lower_view(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty()) return false;
    if (is_reshape(node)) {
        if (node.has_output(1)) return false;
        define_reshaped(builder, node.inputs[0], node.outputs[0]);
        return true;
    }
    if (keeps_type(builder, node)) {
        builder.define(node.outputs[0], builder.find(node.inputs[0]));
        return true;
    }
    if (node.op_type == "Transpose") {
        define_transposed(builder, node);
        return true;
    }
    if (node.op_type == "Expand") {
        define_expanded(builder, node);
        return true;
    }
    if (node.op_type == "Split") {
        define_split(builder, node);
        return true;
    }
    if (node.op_type == "ConstantOfShape") {
        define_filled(builder, node);
        return true;
    }
    return node.op_type == "Gather" && define_picked(builder, node);
}

}  // namespace lossmap::cuda
