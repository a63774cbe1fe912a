#include <algorithm>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "graph/ops/families.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::ops {
namespace {

Ints permutation(const Node& node, std::size_t rank) {
    Ints reversed(rank);
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    Ints order = node.attributes.get_ints("perm", reversed);
    Ints sorted = order;
    std::ranges::sort(sorted);
    std::ranges::sort(reversed);
    require(sorted == reversed, "permutation {} does not fit a tensor of {} dimensions", to_string(order), rank);
    return order;
}

Types infer_transpose(const InferenceContext& context) {
    const Shape& shape = context.input(0).shape;
    Shape result;
    for (const std::int64_t axis : permutation(context.node, shape.size()))
        result.push_back(shape[static_cast<std::size_t>(axis)]);
    return {{context.input(0).dtype, result}};
}

void run_transpose(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape own = row_major_strides(inputs[0].shape);
    Shape strides;
    for (const std::int64_t axis : permutation(node, own.size()))
        strides.push_back(own[static_cast<std::size_t>(axis)]);
    copy_strided(inputs[0], strides, outputs[0]);
}

Types infer_concat(const InferenceContext& context) {
    require_same_dtype(context, context.inputs.size());
    Shape shape = context.input(0).shape;
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", 1), shape.size());
    for (std::size_t k = 1; k < context.inputs.size(); ++k) {
        Shape other = context.input(k).shape;
        require(other.size() == shape.size(), "inputs of shapes {} and {} cannot be joined", to_string(shape),
                to_string(other));
        const std::int64_t extent = other[axis];
        other[axis] = shape[axis];
        require(other == shape, "inputs of shapes {} and {} cannot be joined along dimension {}",
                to_string(context.input(0).shape), to_string(context.input(k).shape), axis);
        shape[axis] += extent;
    }
    return {{context.input(0).dtype, shape}};
}

/// Copies blocks between a tensor of row length `whole` and a part of row length `part`, in bytes.
void run_concat(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& shape = outputs[0].shape;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", 1), shape.size());
    const std::int64_t outer = extent_product(shape, 0, axis);
    const auto width = static_cast<std::int64_t>(size_of(outputs[0].dtype));
    const std::int64_t inner = extent_product(shape, axis + 1, shape.size()) * width;
    const std::int64_t whole = shape[axis] * inner;
    std::int64_t offset = 0;
    for (const ConstTensorView& input : inputs) {
        const std::int64_t part = input.shape[axis] * inner;
        for (std::int64_t o = 0; o < outer && part > 0; ++o) {
            std::memcpy(raw<char>(outputs[0]) + o * whole + offset, raw<char>(input) + o * part,
                        static_cast<std::size_t>(part));
        }
        offset += part;
    }
}

/// Lengths of the parts: the list given (attribute, or input from opset 13 on), else equal parts, the last one smaller.
Ints split_lengths(const Node& node, std::int64_t extent, const std::optional<Ints>& given) {
    const auto parts = static_cast<std::int64_t>(node.outputs.size());
    if (given) {
        require(static_cast<std::int64_t>(given->size()) == parts, "{} lengths for {} outputs", given->size(), parts);
        require(std::reduce(given->begin(), given->end()) == extent &&
                    std::ranges::all_of(*given, [](auto x) { return x >= 0; }),
                "lengths {} do not make up a dimension of {}", to_string(*given), extent);
        return *given;
    }
    const std::int64_t count = node.attributes.get_int("num_outputs", parts);
    require(count == parts, "num_outputs is {}, the node has {} outputs", count, parts);
    const std::int64_t length = (extent + parts - 1) / parts;
    Ints lengths(static_cast<std::size_t>(parts), length);
    std::int64_t left = extent;
    for (std::int64_t& own : lengths) {
        own = std::min(length, left);
        left -= own;
    }
    return lengths;
}

Types infer_split(const InferenceContext& context) {
    const TensorType& input = context.input(0);
    const std::size_t axis = axis_index(context.node.attributes.get_int("axis", 0), input.shape.size());
    Types types;
    for (const std::int64_t length : split_lengths(context.node, input.shape[axis], ints_of(context, "split", 1))) {
        types.push_back(input);
        types.back().shape[axis] = length;
    }
    return types;
}

void run_split(const Node& node, Inputs inputs, Outputs outputs) {
    const Shape& shape = inputs[0].shape;
    const std::size_t axis = axis_index(node.attributes.get_int("axis", 0), shape.size());
    const Ints lengths = split_lengths(node, shape[axis], ints_of(node, inputs, "split", 1));
    const std::int64_t outer = extent_product(shape, 0, axis);
    const std::int64_t inner =
        extent_product(shape, axis + 1, shape.size()) * static_cast<std::int64_t>(size_of(inputs[0].dtype));
    const std::int64_t whole = shape[axis] * inner;
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < lengths.size(); ++k) {
        const std::int64_t part = lengths[k] * inner;
        for (std::int64_t o = 0; o < outer && part > 0 && node.has_output(k); ++o) {
            std::memcpy(raw<char>(outputs[k]) + o * part, raw<char>(inputs[0]) + o * whole + offset,
                        static_cast<std::size_t>(part));
        }
        offset += part;
    }
}

/// Source indices of each dimension of a slice.
std::vector<Ints> slice_maps(const Shape& shape, const Ints& starts, const Ints& ends, const std::optional<Ints>& axes,
                             const std::optional<Ints>& steps) {
    require(starts.size() == ends.size() && (!axes || axes->size() == starts.size()) &&
                (!steps || steps->size() == starts.size()),
            "starts, ends, axes and steps differ in length");
    std::vector<Ints> maps(shape.size());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        maps[axis].resize(static_cast<std::size_t>(shape[axis]));
        std::iota(maps[axis].begin(), maps[axis].end(), 0);
    }
    for (std::size_t k = 0; k < starts.size(); ++k) {
        const std::size_t axis = axis_index(axes ? (*axes)[k] : static_cast<std::int64_t>(k), shape.size());
        const std::int64_t extent = shape[axis];
        const std::int64_t step = steps ? (*steps)[k] : 1;
        require(step != 0, "a step is 0");
        const auto from_end = [&](std::int64_t at) { return at < 0 ? at + extent : at; };
        const std::int64_t low = step > 0 ? 0 : -1;
        const std::int64_t high = step > 0 ? extent : extent - 1;
        const std::int64_t start = std::clamp(from_end(starts[k]), std::min(std::int64_t{0}, high), high);
        const std::int64_t end = std::clamp(from_end(ends[k]), low, high);
        maps[axis].clear();
        if (step > 0) {
            for (std::int64_t at = start; at < end; at += std::min(step, end - at))
                maps[axis].push_back(at);
        } else {
            for (std::int64_t at = start; at > end; at -= std::min(at - end, step == INT64_MIN ? INT64_MAX : -step)) {
                maps[axis].push_back(at);
            }
        }
    }
    return maps;
}

Shape shape_of(const std::vector<Ints>& maps) {
    Shape shape;
    for (const Ints& map : maps)
        shape.push_back(static_cast<std::int64_t>(map.size()));
    return shape;
}

/// Starts and ends are attributes below opset 10, inputs from then on.
template <typename Source>
std::vector<Ints> slice_maps_of(const Shape& shape, Source source) {
    const auto starts = source("starts", 1);
    const auto ends = source("ends", 2);
    require(starts && ends, "starts or ends are missing");
    return slice_maps(shape, *starts, *ends, source("axes", 3), source("steps", 4));
}

Types infer_slice(const InferenceContext& context) {
    const auto source = [&](const char* name, std::size_t index) { return ints_of(context, name, index); };
    return {{context.input(0).dtype, shape_of(slice_maps_of(context.input(0).shape, source))}};
}

void run_slice(const Node& node, Inputs inputs, Outputs outputs) {
    const auto source = [&](const char* name, std::size_t index) { return ints_of(node, inputs, name, index); };
    remap(inputs[0], slice_maps_of(inputs[0].shape, source), nullptr, outputs[0]);
}

/// Source index of position `at` (relative to the input) for a padding mode, -1 for the fill value.
std::int64_t pad_source(const std::string& mode, std::int64_t at, std::int64_t extent) {
    if (at >= 0 && at < extent) return at;
    if (mode == "edge") return std::clamp<std::int64_t>(at, 0, extent - 1);
    if (mode == "wrap") return ((at % extent) + extent) % extent;
    if (mode == "reflect") {
        if (extent == 1) return 0;
        const std::int64_t period = 2 * (extent - 1);
        const std::int64_t phase = ((at % period) + period) % period;
        return phase < extent ? phase : period - phase;
    }
    return -1;
}

std::vector<Ints> pad_maps(const Node& node, const Shape& shape, const Ints& pads, const std::optional<Ints>& axes) {
    const std::string mode = node.attributes.get_string("mode", "constant");
    const std::size_t count = axes ? axes->size() : shape.size();
    require(pads.size() == 2 * count, "{} pad widths for {} dimensions", pads.size(), count);
    Ints before(shape.size(), 0);
    Ints after(shape.size(), 0);
    for (std::size_t k = 0; k < count; ++k) {
        const std::size_t axis = axes ? axis_index((*axes)[k], shape.size()) : k;
        before[axis] = pads[k];
        after[axis] = pads[k + count];
    }
    std::vector<Ints> maps(shape.size());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        constexpr std::int64_t kWidest = std::int64_t{1} << 31;
        require(std::abs(before[axis]) < kWidest && std::abs(after[axis]) < kWidest,
                "a pad width of dimension {} is absurd", axis);
        const std::int64_t end = shape[axis] + after[axis];
        require(end + before[axis] >= 0, "pads remove more than dimension {} of shape {} has", axis, to_string(shape));
        require(shape[axis] > 0 || mode == "constant" || end + before[axis] == 0,
                "mode {} cannot pad an empty dimension", mode);
        for (std::int64_t at = -before[axis]; at < end; ++at)
            maps[axis].push_back(pad_source(mode, at, shape[axis]));
    }
    return maps;
}

std::string pad_attribute(const Node& node) { return node.opset < 2 ? "paddings" : "pads"; }

/// Widths are an attribute below opset 11, an input from then on; axes are an input from opset 18 on.
template <typename Source>
std::vector<Ints> pad_maps_of(const Node& node, const Shape& shape, Source source) {
    const auto pads = source(pad_attribute(node), 1);
    require(pads.has_value(), "the pad widths are missing");
    return pad_maps(node, shape, *pads, source("axes", 3));
}

Types infer_pad(const InferenceContext& context) {
    const auto source = [&](const std::string& name, std::size_t index) { return ints_of(context, name, index); };
    return {{context.input(0).dtype, shape_of(pad_maps_of(context.node, context.input(0).shape, source))}};
}

void run_pad(const Node& node, Inputs inputs, Outputs outputs) {
    const auto source = [&](const std::string& name, std::size_t index) { return ints_of(node, inputs, name, index); };
    Tensor fill(inputs[0].dtype, {1});
    if (node.has_input(2) && inputs[2].count() > 0) {
        convert_elements(ConstTensorView(inputs[2].dtype, {1}, inputs[2].data), fill.view());
    } else {
        double value = node.attributes.get_float("value", 0.0);
        convert_elements(ConstTensorView(DType::f64, {1}, &value), fill.view());
    }
    remap(inputs[0], pad_maps_of(node, inputs[0].shape, source), fill.data(), outputs[0]);
}

std::string check_pad(const Node& node) {
    const std::string mode = node.attributes.get_string("mode", "constant");
    for (const char* known : {"constant", "edge", "reflect", "wrap"}) {
        if (mode == known) return "";
    }
    return fmt::format("padding mode '{}' is not supported", mode);
}

Types infer_expand(const InferenceContext& context) {
    return {{context.input(0).dtype, broadcast(context.input(0).shape, context.constant_ints(1))}};
}

void run_expand(const Node&, Inputs inputs, Outputs outputs) {
    copy_strided(inputs[0], broadcast_strides(inputs[0].shape, outputs[0].shape), outputs[0]);
}

Types infer_tile(const InferenceContext& context) {
    Shape shape = context.input(0).shape;
    const Ints repeats = context.constant_ints(1);
    require(repeats.size() == shape.size(), "{} repeats for {} dimensions", repeats.size(), shape.size());
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        require(repeats[axis] >= 0, "a repeat count is negative");
        shape[axis] = element_count(Shape{shape[axis], repeats[axis]});
    }
    return {{context.input(0).dtype, shape}};
}

void run_tile(const Node&, Inputs inputs, Outputs outputs) {
    std::vector<Ints> maps(outputs[0].shape.size());
    for (std::size_t axis = 0; axis < maps.size(); ++axis) {
        for (std::int64_t at = 0; at < outputs[0].shape[axis]; ++at)
            maps[axis].push_back(at % inputs[0].shape[axis]);
    }
    remap(inputs[0], maps, nullptr, outputs[0]);
}

}  // namespace

Family layout_operators() {
    constexpr std::string_view kConstantNote = "everything but the data input must be constant";
    return {
        {.name = "Concat", .domain = "", .max_inputs = -1, .infer = infer_concat, .run = run_concat},
        {.name = "Expand",
         .domain = "",
         .min_opset = 8,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = infer_expand,
         .run = run_expand,
         .note = kConstantNote},
        {.name = "Pad",
         .domain = "",
         .max_inputs = 4,
         .infer = infer_pad,
         .run = run_pad,
         .check = check_pad,
         .note = kConstantNote},
        {.name = "Slice", .domain = "", .max_inputs = 5, .infer = infer_slice, .run = run_slice, .note = kConstantNote},
        {.name = "Split",
         .domain = "",
         .max_inputs = 2,
         .max_outputs = -1,
         .infer = infer_split,
         .run = run_split,
         .note = kConstantNote},
        {.name = "Tile",
         .domain = "",
         .min_opset = 6,
         .min_inputs = 2,
         .max_inputs = 2,
         .infer = infer_tile,
         .run = run_tile,
         .note = kConstantNote},
        {.name = "Transpose", .domain = "", .infer = infer_transpose, .run = run_transpose},
    };
}

}  // namespace lossmap::ops
