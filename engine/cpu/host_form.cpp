#include "cpu/host_form.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "core/error.hpp"

namespace lossmap::cpu {
namespace {

using Ints = std::vector<std::int64_t>;

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& names) {
    return node.domain.empty() && std::find(names.begin(), names.end(), node.op_type) != names.end();
}

/// One operand in, elements apart from each other; further operands are scalars.
constexpr std::array<std::string_view, 34> kUnary{
    "Abs",   "Acos",      "Acosh",       "Asin",      "Asinh",    "Atan", "Atanh", "Cast",       "Ceil",
    "Celu",  "Clip",      "Cos",         "Cosh",      "Elu",      "Erf",  "Exp",   "Floor",      "Gelu",
    "Log",   "HardSwish", "HardSigmoid", "LeakyRelu", "Mish",     "Neg",  "Not",   "Reciprocal", "Relu",
    "Round", "Selu",      "Sigmoid",     "Sign",      "Softplus", "Sqrt", "Tanh"};

/// Operands broadcast against each other, elements apart from each other.
constexpr std::array<std::string_view, 14> kBroadcasting{"Add", "Sub", "Mul",     "Div",  "Pow",   "Max",   "Min",
                                                         "And", "Or",  "Greater", "Less", "Equal", "Where", "PRelu"};

constexpr std::array<std::string_view, 5> kReductions{"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"};

Shape channels_behind(const Shape& shape) {
    Shape result = shape;
    std::rotate(result.begin() + 1, result.begin() + 2, result.end());
    return result;
}

/// Axis of [N, C, ..] in [N, .., C].
std::int64_t moved_axis(std::int64_t axis, std::size_t rank) {
    const std::int64_t normal = normalize_axis(axis, rank);
    if (normal == 0) return 0;
    return normal == 1 ? static_cast<std::int64_t>(rank) - 1 : normal - 1;
}

/// Integers of a constant input.
std::optional<Ints> constant_ints(const ProgramBuilder& builder, const Node& node, std::size_t index) {
    if (!node.has_input(index)) return {};
    const Value& value = builder.value(node.inputs[index]);
    if (value.kind != ValueKind::constant || !value.data) return {};
    if (value.dtype == DType::i64) {
        const auto data = value.data->as<std::int64_t>();
        return Ints(data.begin(), data.end());
    }
    if (value.dtype != DType::i32) return {};
    const auto data = value.data->as<std::int32_t>();
    return Ints(data.begin(), data.end());
}

std::shared_ptr<const Tensor> ints_tensor(const Ints& values) {
    return std::make_shared<const Tensor>(
        Tensor::from<std::int64_t>(values, {static_cast<std::int64_t>(values.size())}));
}

std::optional<HostForm> unary_form(const ProgramBuilder& builder, const Node& node) {
    HostForm form = plain_form(builder, node);
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && element_count(form.inputs[k]) != 1) return {};
    }
    if (form.inputs[0] != form.outputs[0]) return {};
    form.layout = form.input_layouts[0] = builder.layout_of(node.inputs[0], Layout::plain);
    form.inputs[0] = form.outputs[0] = {element_count(form.outputs[0])};
    return form;
}

std::optional<HostForm> broadcast_form(const ProgramBuilder& builder, const Node& node) {
    HostForm form = plain_form(builder, node);
    form.layout = Layout::channels_last;
    const std::size_t rank = form.outputs[0].size();
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        if (!node.has_input(k)) return {};
        const ValueId id = node.inputs[k];
        Shape& shape = form.inputs[k];
        const bool full = shape.size() == rank;
        shape.insert(shape.begin(), rank - shape.size(), 1);
        const std::int64_t pixels = element_count(std::span(shape).subspan(2));
        const bool movable = shape[1] == 1 || pixels == 1;
        const bool activation = full && builder.depends_on_samples(id);
        if (!movable && !activation) return {};
        if (activation) form.input_layouts[k] = Layout::channels_last;
        shape = channels_behind(shape);
    }
    form.outputs[0] = channels_behind(form.outputs[0]);
    return form;
}

std::optional<HostForm> concat_form(const ProgramBuilder& builder, const Node& node) {
    HostForm form = plain_form(builder, node);
    form.layout = Layout::channels_last;
    const std::size_t rank = form.outputs[0].size();
    form.node.attributes.set("axis", moved_axis(node.attributes.get_int("axis"), rank));
    for (const ValueId id : node.inputs) {
        if (!builder.depends_on_samples(id)) return {};
    }
    for (Shape& shape : form.inputs)
        shape = channels_behind(shape);
    form.input_layouts.assign(node.inputs.size(), Layout::channels_last);
    form.outputs[0] = channels_behind(form.outputs[0]);
    return form;
}

std::optional<HostForm> slice_form(const ProgramBuilder& builder, const Node& node) {
    const auto starts = constant_ints(builder, node, 1);
    if (!starts) return {};
    Ints axes(starts->size());
    std::iota(axes.begin(), axes.end(), 0);
    if (node.has_input(3)) {
        const auto named = constant_ints(builder, node, 3);
        if (!named) return {};
        axes = *named;
    }
    HostForm form = plain_form(builder, node);
    form.layout = form.input_layouts[0] = Layout::channels_last;
    for (std::int64_t& axis : axes)
        axis = moved_axis(axis, form.inputs[0].size());
    // Starts, ends, axes and steps have one element type; a copy of the others would be needed for i32.
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && builder.value(node.inputs[k]).dtype != DType::i64) return {};
    }
    if (form.replaced.size() < 4) {
        form.replaced.resize(4);
        form.inputs.resize(4);
        form.input_layouts.resize(4, Layout::plain);
        form.node.inputs.resize(4, kNoValue);
    }
    if (!form.node.has_input(3)) form.node.inputs[3] = node.inputs[1];  // present; its value is the replacement
    form.replaced[3] = ints_tensor(axes);
    form.inputs[3] = {static_cast<std::int64_t>(axes.size())};
    form.inputs[0] = channels_behind(form.inputs[0]);
    form.outputs[0] = channels_behind(form.outputs[0]);
    return form;
}

std::optional<HostForm> pad_form(const ProgramBuilder& builder, const Node& node) {
    HostForm form = plain_form(builder, node);
    form.layout = form.input_layouts[0] = Layout::channels_last;
    const std::size_t rank = form.inputs[0].size();
    const bool from_input = node.has_input(1);
    std::optional<Ints> pads = from_input ? constant_ints(builder, node, 1) : std::optional<Ints>();
    if (!from_input && node.attributes.has("pads")) pads = node.attributes.get_ints("pads", {});
    if (!pads || pads->size() != 2 * rank || node.has_input(3)) return {};
    for (const std::size_t half : {std::size_t{0}, rank}) {
        const auto begin = pads->begin() + static_cast<std::ptrdiff_t>(half);
        std::rotate(begin + 1, begin + 2, begin + static_cast<std::ptrdiff_t>(rank));
    }
    if (from_input) {
        form.replaced[1] = ints_tensor(*pads);
    } else {
        form.node.attributes.set("pads", *pads);
    }
    form.inputs[0] = channels_behind(form.inputs[0]);
    form.outputs[0] = channels_behind(form.outputs[0]);
    return form;
}

std::optional<HostForm> reduction_form(const ProgramBuilder& builder, const Node& node) {
    HostForm form = plain_form(builder, node);
    form.layout = form.input_layouts[0] = Layout::channels_last;
    const std::size_t rank = form.inputs[0].size();
    const bool from_input = node.has_input(1);
    std::optional<Ints> axes = from_input ? constant_ints(builder, node, 1) : std::optional<Ints>();
    if (!from_input && node.attributes.has("axes")) axes = node.attributes.get_ints("axes", {});
    if (!axes || axes->empty()) return {};
    for (std::int64_t& axis : *axes)
        axis = moved_axis(axis, rank);
    const bool keeps = node.attributes.get_int("keepdims", 1) != 0;
    if (keeps) {
        form.outputs[0] = channels_behind(form.outputs[0]);
    } else {
        // Without its pixels a value is row-major again; with some of them left it would not be.
        for (std::int64_t axis = 1; axis + 1 < static_cast<std::int64_t>(rank); ++axis) {
            if (std::find(axes->begin(), axes->end(), axis) == axes->end()) return {};
        }
    }
    if (from_input) {
        form.replaced[1] = ints_tensor(*axes);
    } else {
        form.node.attributes.set("axes", *axes);
    }
    form.inputs[0] = channels_behind(form.inputs[0]);
    return form;
}

}  // namespace

HostForm plain_form(const ProgramBuilder& builder, const Node& node) {
    HostForm form;
    form.node = node;
    form.replaced.resize(node.inputs.size());
    form.input_layouts.assign(node.inputs.size(), Layout::plain);
    for (const ValueId id : node.inputs)
        form.inputs.push_back(id == kNoValue ? Shape{} : builder.shape(id));
    for (const ValueId id : node.outputs)
        form.outputs.push_back(id == kNoValue ? Shape{} : builder.shape(id));
    return form;
}

std::optional<HostForm> layout_free_form(const ProgramBuilder& builder, const Node& node) {
    if (node.inputs.empty() || node.outputs.empty() || !node.has_output(0)) return {};
    if (is_one_of(node, kUnary) && builder.depends_on_samples(node.inputs[0])) return unary_form(builder, node);
    const auto lies_channels_last = [&](ValueId id) {
        return id != kNoValue && builder.depends_on_samples(id) &&
               builder.layout_of(id, Layout::plain) == Layout::channels_last;
    };
    if (!node.domain.empty() || builder.shape(node.outputs[0]).empty()) return {};
    if (std::none_of(node.inputs.begin(), node.inputs.end(), lies_channels_last)) return {};
    const std::size_t rank = builder.shape(node.outputs[0]).size();
    if (is_one_of(node, kBroadcasting) && rank >= 3) return broadcast_form(builder, node);
    if (node.op_type == "Concat" && rank >= 3) return concat_form(builder, node);
    if (!lies_channels_last(node.inputs[0])) return {};
    if (node.op_type == "Slice" && node.has_input(1)) return slice_form(builder, node);
    if (node.op_type == "Pad") return pad_form(builder, node);
    if (is_one_of(node, kReductions)) return reduction_form(builder, node);
    return {};
}

}  // namespace lossmap::cpu
