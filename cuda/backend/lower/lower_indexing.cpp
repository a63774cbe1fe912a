#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/lower/arrays.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::cuda {
namespace {

std::size_t axis_of(const Node& node, std::int64_t fallback, std::size_t rank) {
    return static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", fallback), rank));
}

void gather(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located data = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const Located indices = builder.read(node.inputs[1], {Demand::Form::dense, {}});
    const AxisSplit split = split_at(data.shape, axis_of(node, 0, data.shape.size()));
    auto operation = builder.kernel<kernels::GatherArgs>("gather", builder.kernels().gather, builder.points_of(output));
    operation->args.outer = split.outer;
    operation->args.extent = split.count;
    operation->args.inner = split.inner;
    operation->args.count = element_count(indices.shape);
    operation->read(operation->args.data, data);
    operation->read(operation->args.indices, indices);
    builder.write_as(*operation, operation->args.out, output, data.type);
    operation->bind(operation->args.faults, builder.faults(builder.phase_of(output)), true);
    builder.add(std::move(operation), builder.phase_of(output));
}

void gather_elements(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located data = builder.read(node.inputs[0], {Demand::Form::any, {}});
    const Located indices = builder.read(node.inputs[1], {Demand::Form::dense, {}});
    const std::size_t axis = axis_of(node, 0, data.shape.size());
    auto operation = builder.kernel<kernels::GatherElementsArgs>("gather_elements", builder.kernels().gather_elements,
                                                                 builder.points_of(output));
    operation->args.dims = dims_of(indices.shape);
    operation->args.data_strides = strides_of(data.strides);
    operation->args.axis = static_cast<int>(axis);
    operation->args.extent = data.shape[axis];
    operation->read(operation->args.data, data);
    operation->read(operation->args.indices, indices);
    builder.write_as(*operation, operation->args.out, output, data.type);
    operation->bind(operation->args.faults, builder.faults(builder.phase_of(output)), true);
    builder.add(std::move(operation), builder.phase_of(output));
}

void gather_nd(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located data = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const Located indices = builder.read(node.inputs[1], {Demand::Form::dense, {}});
    const auto batch = static_cast<std::size_t>(node.attributes.get_int("batch_dims", 0));
    const auto width = static_cast<std::size_t>(indices.shape.back());
    if (width > static_cast<std::size_t>(kernels::kMaxRank))
        throw UnsupportedError("indices of {} coordinates are not supported on the GPU", width);
    auto operation =
        builder.kernel<kernels::GatherNdArgs>("gather_nd", builder.kernels().gather_nd, builder.points_of(output));
    operation->args.batches = ops::extent_product(data.shape, 0, batch);
    operation->args.width = static_cast<int>(width);
    operation->args.count = element_count(indices.shape) / indices.shape.back() / operation->args.batches;
    for (std::size_t k = 0; k < width; ++k)
        operation->args.extents[k] = data.shape[batch + k];
    operation->args.block = ops::extent_product(data.shape, batch + width, data.shape.size());
    operation->read(operation->args.data, data);
    operation->read(operation->args.indices, indices);
    builder.write_as(*operation, operation->args.out, output, data.type);
    operation->bind(operation->args.faults, builder.faults(builder.phase_of(output)), true);
    builder.add(std::move(operation), builder.phase_of(output));
}

kernels::ScatterRule scatter_rule(const Node& node) {
    const std::string rule = node.attributes.get_string("reduction", "none");
    if (rule == "add") return kernels::ScatterRule::add;
    if (rule == "mul") return kernels::ScatterRule::multiply;
    if (rule == "max") return kernels::ScatterRule::maximum;
    if (rule == "min") return kernels::ScatterRule::minimum;
    return kernels::ScatterRule::replace;
}

/// A dense copy of the data that updates are written into.
Located copied_data(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located data = builder.read(node.inputs[0], {Demand::Form::any, builder.storage(output)});
    Located out = builder.write(output);
    Sequence(builder, output).copy(data, out);
    return out;
}

void scatter_elements(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located out = copied_data(builder, node);
    const Located indices = builder.read(node.inputs[1], {Demand::Form::dense, {}});
    const std::size_t axis = axis_of(node, 0, out.shape.size());
    auto operation = builder.kernel<kernels::ScatterElementsArgs>(
        "scatter_elements", builder.kernels().scatter_elements, builder.points_of(output));
    operation->args.rule = scatter_rule(node);
    operation->args.dims = dims_of(indices.shape);
    operation->args.data_strides = strides_of(out.strides);
    operation->args.axis = static_cast<int>(axis);
    operation->args.extent = out.shape[axis];
    operation->read(operation->args.indices, indices);
    operation->read(operation->args.updates, builder.read(node.inputs[2], {Demand::Form::dense, out.type}));
    operation->write(operation->args.out, out);
    operation->bind(operation->args.faults, builder.faults(builder.phase_of(output)), true);
    builder.add(std::move(operation), builder.phase_of(output));
}

void scatter_nd(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located out = copied_data(builder, node);
    const Located indices = builder.read(node.inputs[1], {Demand::Form::dense, {}});
    const auto width = static_cast<std::size_t>(indices.shape.back());
    if (width > static_cast<std::size_t>(kernels::kMaxRank))
        throw UnsupportedError("indices of {} coordinates are not supported on the GPU", width);
    auto operation =
        builder.kernel<kernels::ScatterNdArgs>("scatter_nd", builder.kernels().scatter_nd, builder.points_of(output));
    operation->args.rule = scatter_rule(node);
    operation->args.width = static_cast<int>(width);
    operation->args.count = element_count(indices.shape) / indices.shape.back();
    for (std::size_t k = 0; k < width; ++k)
        operation->args.extents[k] = out.shape[k];
    operation->args.block = ops::extent_product(out.shape, width, out.shape.size());
    operation->read(operation->args.indices, indices);
    operation->read(operation->args.updates, builder.read(node.inputs[2], {Demand::Form::dense, out.type}));
    operation->write(operation->args.out, out);
    operation->bind(operation->args.faults, builder.faults(builder.phase_of(output)), true);
    builder.add(std::move(operation), builder.phase_of(output));
}

void trilu(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    std::int64_t diagonal = 0;
    if (node.has_input(1)) {
        const Tensor* given = builder.constant(node.inputs[1]);
        if (given == nullptr) throw UnsupportedError("a diagonal that is not constant is not supported on the GPU");
        diagonal = ops::read_ints(given->view()).at(0);
    }
    const std::size_t rank = in.shape.size();
    auto operation = builder.kernel<kernels::TriluArgs>("trilu", builder.kernels().trilu, builder.points_of(output));
    operation->args.matrices = ops::extent_product(in.shape, 0, rank - 2);
    operation->args.rows = in.shape[rank - 2];
    operation->args.columns = in.shape[rank - 1];
    operation->args.diagonal = diagonal;
    operation->args.upper = node.attributes.get_int("upper", 1) != 0;
    operation->read(operation->args.in, in);
    builder.write_as(*operation, operation->args.out, output, in.type);
    builder.add(std::move(operation), builder.phase_of(output));
}

void top_k(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.has_output(0) ? node.outputs[0] : node.outputs[1];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const std::size_t axis = axis_of(node, -1, in.shape.size());
    const AxisSplit split = split_at(in.shape, axis);
    auto operation = builder.kernel<kernels::TopKArgs>("top_k", builder.kernels().top_k, builder.points_of(output));
    operation->args.outer = split.outer;
    operation->args.count = split.count;
    operation->args.inner = split.inner;
    operation->args.k = builder.shape(output)[axis];
    operation->args.largest = node.attributes.get_int("largest", 1) != 0;
    operation->read(operation->args.in, in);
    if (node.has_output(0)) builder.write_as(*operation, operation->args.values, node.outputs[0], in.type);
    if (node.has_output(1)) operation->write(operation->args.indices, builder.write(node.outputs[1]));
    builder.add(std::move(operation), builder.phase_of(output));
}

}  // namespace

bool lower_indexing(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty()) return false;
    using Way = void (*)(ProgramBuilder&, const Node&);
    struct Row {
        std::string_view name;
        Way way;
    };
    static constexpr std::array<Row, 8> kRows{{{"Gather", gather},
                                               {"GatherElements", gather_elements},
                                               {"GatherND", gather_nd},
                                               {"ScatterElements", scatter_elements},
                                               {"Scatter", scatter_elements},
                                               {"ScatterND", scatter_nd},
                                               {"Trilu", trilu},
                                               {"TopK", top_k}}};
    const auto found =
        std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.name == node.op_type; });
    if (found == kRows.end()) return false;
    found->way(builder, node);
    return true;
}

}  // namespace lossmap::cuda
