#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::cuda {
namespace {

using kernels::ReduceOp;

std::optional<ReduceOp> reduce_op(const Node& node) {
    static const std::map<std::string_view, ReduceOp> kOps{
        {"ReduceSum", ReduceOp::sum},
        {"ReduceMean", ReduceOp::mean},
        {"ReduceProd", ReduceOp::prod},
        {"ReduceMax", ReduceOp::max},
        {"ReduceMin", ReduceOp::min},
        {"ReduceL1", ReduceOp::l1},
        {"ReduceL2", ReduceOp::l2},
        {"ReduceSumSquare", ReduceOp::sum_square},
        {"ReduceLogSum", ReduceOp::log_sum},
        {"ReduceLogSumExp", ReduceOp::log_sum_exp},
        {"GlobalAveragePool", ReduceOp::mean},
        {"GlobalMaxPool", ReduceOp::max},
    };
    const auto found = kOps.find(node.op_type);
    if (found == kOps.end()) return {};
    return found->second;
}

/// Which dimensions go: an attribute in old operator sets, a constant input in new ones; without any all of them.
std::vector<bool> reduced_axes(const ProgramBuilder& builder, const Node& node, std::size_t rank) {
    std::vector<bool> reduced(rank, false);
    if (node.op_type.starts_with("Global")) {
        std::fill(reduced.begin() + 2, reduced.end(), true);
        return reduced;
    }
    std::vector<std::int64_t> axes = node.attributes.get_ints("axes", {});
    if (node.has_input(1)) {
        const Tensor* given = builder.constant(node.inputs[1]);
        if (given == nullptr) throw UnsupportedError("axes that are not constant are not supported on the GPU");
        axes = ops::read_ints(given->view());
    }
    if (axes.empty()) {
        if (node.attributes.get_int("noop_with_empty_axes", 0) == 0) std::fill(reduced.begin(), reduced.end(), true);
        return reduced;
    }
    for (const std::int64_t axis : axes)
        reduced[static_cast<std::size_t>(normalize_axis(axis, rank))] = true;
    return reduced;
}

void reduce(ProgramBuilder& builder, const Node& node, ReduceOp op) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::any, {}});
    const std::vector<bool> reduced = reduced_axes(builder, node, in.shape.size());
    Shape kept;
    Shape kept_strides;
    Shape gone;
    Shape gone_strides;
    for (std::size_t axis = 0; axis < in.shape.size(); ++axis) {
        (reduced[axis] ? gone : kept).push_back(in.shape[axis]);
        (reduced[axis] ? gone_strides : kept_strides).push_back(in.strides[axis]);
    }
    const Located out = builder.write(output);
    auto operation = builder.kernel<kernels::ReduceArgs>("reduce", builder.kernels().reduce, builder.points_of(output));
    operation->args.op = op;
    operation->args.kept = dims_of(kept);
    operation->args.kept_strides = strides_of(kept_strides);
    operation->args.reduced = dims_of(gone);
    operation->args.reduced_strides = strides_of(gone_strides);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

void arg_reduce(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const auto axis = static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", 0), in.shape.size()));
    const AxisSplit split = split_at(in.shape, axis);
    auto operation =
        builder.kernel<kernels::ArgReduceArgs>("arg_reduce", builder.kernels().arg_reduce, builder.points_of(output));
    operation->args.outer = split.outer;
    operation->args.count = split.count;
    operation->args.inner = split.inner;
    operation->args.largest = node.op_type == "ArgMax";
    operation->args.last_index = node.attributes.get_int("select_last_index", 0) != 0;
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, builder.write(output));
    builder.add(std::move(operation), builder.phase_of(output));
}

/// Below opset 13 a softmax runs over everything from its axis on.
AxisSplit softmax_split(const Node& node, const Shape& shape) {
    if (node.opset >= 13) {
        if (shape.empty()) return {};
        return split_at(shape,
                        static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", -1), shape.size())));
    }
    const std::int64_t axis = node.attributes.get_int("axis", 1);
    const std::size_t begin = axis == static_cast<std::int64_t>(shape.size())
                                  ? shape.size()
                                  : static_cast<std::size_t>(normalize_axis(axis, shape.size()));
    return {ops::extent_product(shape, 0, begin), ops::extent_product(shape, begin, shape.size()), 1};
}

void softmax(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const AxisSplit split = softmax_split(node, in.shape);
    auto operation =
        builder.kernel<kernels::SoftmaxArgs>("softmax", builder.kernels().softmax, builder.points_of(output));
    operation->args.kind = node.op_type == "Softmax"      ? kernels::SoftmaxKind::softmax
                           : node.op_type == "LogSoftmax" ? kernels::SoftmaxKind::log_softmax
                                                          : kernels::SoftmaxKind::hardmax;
    operation->args.outer = split.outer;
    operation->args.count = split.count;
    operation->args.inner = split.inner;
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, builder.write(output));
    builder.add(std::move(operation), builder.phase_of(output));
}

void cumulative(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Tensor* axis = builder.constant(node.inputs[1]);
    if (axis == nullptr) throw UnsupportedError("an axis that is not constant is not supported on the GPU");
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const AxisSplit split = split_at(
        in.shape, static_cast<std::size_t>(normalize_axis(ops::read_ints(axis->view()).at(0), in.shape.size())));
    auto operation =
        builder.kernel<kernels::CumulativeArgs>("cumulative", builder.kernels().cumulative, builder.points_of(output));
    operation->args.outer = split.outer;
    operation->args.count = split.count;
    operation->args.inner = split.inner;
    operation->args.product = node.op_type == "CumProd";
    operation->args.exclusive = node.attributes.get_int("exclusive", 0) != 0;
    operation->args.reverse = node.attributes.get_int("reverse", 0) != 0;
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, builder.write(output));
    builder.add(std::move(operation), builder.phase_of(output));
}

void lp_normalize(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const AxisSplit split = split_at(
        in.shape, static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", -1), in.shape.size())));
    auto operation = builder.kernel<kernels::LpNormalizeArgs>("lp_normalize", builder.kernels().lp_normalize,
                                                              builder.points_of(output));
    operation->args.outer = split.outer;
    operation->args.count = split.count;
    operation->args.inner = split.inner;
    operation->args.first_order = node.attributes.get_int("p", 2) == 1;
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, builder.write(output));
    builder.add(std::move(operation), builder.phase_of(output));
}

}  // namespace

bool lower_reduction(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty()) return false;
    if (const auto op = reduce_op(node)) {
        reduce(builder, node, *op);
    } else if (node.op_type == "ArgMax" || node.op_type == "ArgMin") {
        arg_reduce(builder, node);
    } else if (node.op_type == "Softmax" || node.op_type == "LogSoftmax" || node.op_type == "Hardmax") {
        softmax(builder, node);
    } else if (node.op_type == "CumSum" || node.op_type == "CumProd") {
        cumulative(builder, node);
    } else if (node.op_type == "LpNormalization") {
        lp_normalize(builder, node);
    } else {
        return false;
    }
    return true;
}

}  // namespace lossmap::cuda
