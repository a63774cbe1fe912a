#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "graph/operator_table.hpp"

// Where an element comes from is asked of the operator's own kernel on the host, run on the positions 0, 1, 2, ..
// instead of values: there is one definition of Slice, Pad and Resize, not two.
namespace lossmap::cuda {
namespace {

using Ints = std::vector<std::int64_t>;

/// Operators that move elements, each dimension for itself.
constexpr std::array<std::string_view, 5> kSeparable{"Slice", "Pad", "Tile", "Resize", "Upsample"};
/// Operators that move elements somehow.
constexpr std::array<std::string_view, 4> kMoving{"DepthToSpace", "SpaceToDepth", "Gather", "GatherND"};

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& names) {
    return node.domain.empty() && std::find(names.begin(), names.end(), node.op_type) != names.end();
}

bool parameters_are_constant(const ProgramBuilder& builder, const Node& node) {
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && builder.constant(node.inputs[k]) == nullptr) return false;
    }
    return true;
}

/// The node with -1 as the value that a Pad fills in.
Node with_marked_fill(const Node& node) {
    Node marked = node;
    if (node.op_type != "Pad") return marked;
    marked.attributes.set("value", -1.0);
    if (marked.inputs.size() > 2) marked.inputs[2] = kNoValue;
    return marked;
}

/// Position in the first input, row-major, of every element of the first output; -1: filled in.
Ints sources_of(const ProgramBuilder& builder, const Node& node) {
    const Node marked = with_marked_fill(node);
    const OperatorInfo* info = find_operator(node.domain, node.op_type);
    if (info == nullptr || info->run == nullptr) throw InternalError("{} has no kernel", node.describe());
    Tensor positions(DType::i64, builder.shape(node.inputs[0]));
    std::iota(positions.as<std::int64_t>().begin(), positions.as<std::int64_t>().end(), 0);
    Tensor result(DType::i64, builder.shape(node.outputs[0]));
    std::vector<ConstTensorView> inputs{positions.view()};
    for (std::size_t k = 1; k < marked.inputs.size(); ++k) {
        inputs.push_back(marked.has_input(k) ? builder.constant(marked.inputs[k])->view() : ConstTensorView());
    }
    const std::vector<TensorView> outputs{result.view()};
    info->run(marked, inputs, outputs);
    const auto values = result.as<std::int64_t>();
    return {values.begin(), values.end()};
}

/// For each dimension the source coordinate of every coordinate of the output; -1: filled in.
std::vector<Ints> axis_maps(const Ints& sources, const Shape& input, const Shape& output) {
    const Shape in_strides = row_major_strides(input);
    const Shape out_strides = row_major_strides(output);
    // One element that comes from the input fixes the other coordinates while one dimension is walked along.
    const auto known = std::find_if(sources.begin(), sources.end(), [](std::int64_t s) { return s >= 0; });
    std::vector<Ints> maps(output.size());
    for (std::size_t axis = 0; axis < output.size(); ++axis) {
        maps[axis].assign(static_cast<std::size_t>(output[axis]), -1);
        if (known == sources.end()) continue;
        const std::int64_t flat = known - sources.begin();
        const std::int64_t base = flat - flat / out_strides[axis] % output[axis] * out_strides[axis];
        for (std::int64_t at = 0; at < output[axis]; ++at) {
            const std::int64_t source = sources[static_cast<std::size_t>(base + at * out_strides[axis])];
            if (source >= 0) maps[axis][static_cast<std::size_t>(at)] = source / in_strides[axis] % input[axis];
        }
    }
    return maps;
}

/// Step of a map that walks forward evenly.
std::optional<std::int64_t> even_step(const Ints& map) {
    if (map.empty() || map[0] < 0) return {};
    const std::int64_t step = map.size() > 1 ? map[1] - map[0] : 1;
    if (step < 1) return {};
    for (std::size_t k = 1; k < map.size(); ++k) {
        if (map[k] != map[k - 1] + step) return {};
    }
    return step;
}

/// A view, where every dimension is walked through evenly.
bool define_sliced(ProgramBuilder& builder, const Node& node, const std::vector<Ints>& maps) {
    Located view = builder.find(node.inputs[0]);
    for (std::size_t axis = 0; axis < maps.size(); ++axis) {
        const auto step = even_step(maps[axis]);
        if (!step) return false;
        view.offset += maps[axis][0] * view.strides[axis];
        view.strides[axis] *= *step;
    }
    builder.define(node.outputs[0], view);
    return true;
}

/// Bits of the value that a Pad fills in, as the array is stored.
std::uint64_t fill_bits(const ProgramBuilder& builder, const Node& node, DType type) {
    double value = node.attributes.get_float("value", 0.0);
    if (node.has_input(2) && node.op_type == "Pad") {
        const Tensor* given = builder.constant(node.inputs[2]);
        if (given->count() > 0 && given->dtype() != DType::f32) {
            throw UnsupportedError("a fill value of type {} is not supported on the GPU", name_of(given->dtype()));
        }
        if (given->count() > 0) value = static_cast<double>(given->as<float>()[0]);
    }
    const auto narrow = static_cast<float>(value);
    switch (type) {
        case DType::f32: return std::bit_cast<std::uint32_t>(narrow);
        case DType::f16: return float_to_half(narrow);
        case DType::bf16: return float_to_bfloat16(narrow);
        default: return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
    }
}

bool is_identity(const Ints& map, std::int64_t extent) {
    if (static_cast<std::int64_t>(map.size()) != extent) return false;
    for (std::size_t k = 0; k < map.size(); ++k) {
        if (map[k] != static_cast<std::int64_t>(k)) return false;
    }
    return true;
}

void copy_through_maps(ProgramBuilder& builder, const Node& node, const std::vector<Ints>& maps) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::any, builder.storage(output)});
    const bool last = in.shape.size() >= 3 && in.is_channels_last(in.shape[1]) && !in.is_dense();
    const Located out = builder.write(output, last ? Demand::Form::channels_last : Demand::Form::dense);
    auto operation = builder.kernel<kernels::CopyArgs>("copy", builder.kernels().copy, builder.points_of(output));
    operation->args.dims = dims_of(out.shape);
    operation->args.in_strides = strides_of(in.strides);
    operation->args.out_strides = strides_of(out.strides);
    operation->args.fill = fill_bits(builder, node, out.type);
    for (std::size_t axis = 0; axis < maps.size(); ++axis) {
        if (is_identity(maps[axis], in.shape[axis])) continue;
        const std::vector<std::int32_t> narrow(maps[axis].begin(), maps[axis].end());
        operation->bind(operation->args.maps[axis], builder.constant_array(narrow), false);
    }
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

void gather_positions(ProgramBuilder& builder, const Node& node, const Ints& sources) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, builder.storage(output)});
    const Located out = builder.write(output);
    const std::vector<std::int32_t> narrow(sources.begin(), sources.end());
    auto operation = builder.kernel<kernels::GatherArgs>("gather", builder.kernels().gather, builder.points_of(output));
    operation->args.extent = element_count(in.shape);
    operation->args.count = static_cast<std::int64_t>(sources.size());
    operation->read(operation->args.data, in);
    operation->read(operation->args.indices, builder.constant_array(narrow));
    operation->write(operation->args.out, out);
    operation->bind(operation->args.faults, builder.faults(builder.phase_of(output)), true);
    builder.add(std::move(operation), builder.phase_of(output));
}

bool is_nearest(const Node& node) {
    const std::string mode = node.attributes.get_string("mode", "nearest");
    return mode == "nearest" &&
           node.attributes.get_string("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize";
}

void concatenate(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located first = builder.find(node.inputs[0]);
    const bool last =
        first.shape.size() >= 3 && !first.pristine && first.is_channels_last(first.shape[1]) && !first.is_dense();
    const Located out = builder.write(output, last ? Demand::Form::channels_last : Demand::Form::dense);
    const auto axis = static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", 1), out.shape.size()));
    std::int64_t begin = 0;
    for (const ValueId input : node.inputs) {
        const Located in = builder.read(input, {Demand::Form::any, out.type});
        Located part = out;
        part.offset += begin * out.strides[axis];
        part.shape = in.shape;
        begin += in.shape[axis];
        if (element_count(in.shape) == 0) continue;
        auto operation = builder.kernel<kernels::CopyArgs>("copy", builder.kernels().copy, builder.points_of(output));
        operation->args.dims = dims_of(in.shape);
        operation->args.in_strides = strides_of(in.strides);
        operation->args.out_strides = strides_of(part.strides);
        operation->read(operation->args.in, in);
        operation->write(operation->args.out, part);
        builder.add(std::move(operation), builder.phase_of(output));
    }
}

}  // namespace

bool lower_move(ProgramBuilder& builder, const Node& node) {
    if (node.domain.empty() && node.op_type == "Concat") {
        concatenate(builder, node);
        return true;
    }
    const bool separable = is_one_of(node, kSeparable);
    if (!separable && !is_one_of(node, kMoving)) return false;
    if ((node.op_type == "Resize" || node.op_type == "Upsample") && !is_nearest(node)) return false;
    if (!parameters_are_constant(builder, node)) return false;
    const Shape& input = builder.shape(node.inputs[0]);
    const Shape& output = builder.shape(node.outputs[0]);
    if (element_count(input) == 0 || element_count(output) == 0)
        throw UnsupportedError("an empty array is not supported on the GPU");
    const Ints sources = sources_of(builder, node);
    if (!separable) {
        gather_positions(builder, node, sources);
        return true;
    }
    const std::vector<Ints> maps = axis_maps(sources, input, output);
    if (!define_sliced(builder, node, maps)) copy_through_maps(builder, node, maps);
    return true;
}

}  // namespace lossmap::cuda
