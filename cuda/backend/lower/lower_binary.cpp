#include <map>
#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/lower/lowerings.hpp"

namespace lossmap::cuda {
namespace {

using kernels::BinaryOp;

/// Operators of two operands; those of any number apply theirs again and again.
std::optional<BinaryOp> binary_op(const Node& node) {
    static const std::map<std::string_view, BinaryOp> kOps{
        {"Add", BinaryOp::add},
        {"Sub", BinaryOp::sub},
        {"Mul", BinaryOp::mul},
        {"Div", BinaryOp::div},
        {"Pow", BinaryOp::pow},
        {"PRelu", BinaryOp::prelu},
        {"Equal", BinaryOp::equal},
        {"Less", BinaryOp::less},
        {"LessOrEqual", BinaryOp::less_or_equal},
        {"Greater", BinaryOp::greater},
        {"GreaterOrEqual", BinaryOp::greater_or_equal},
        {"And", BinaryOp::logical_and},
        {"Or", BinaryOp::logical_or},
        {"Xor", BinaryOp::logical_xor},
        {"BitwiseAnd", BinaryOp::bit_and},
        {"BitwiseOr", BinaryOp::bit_or},
        {"BitwiseXor", BinaryOp::bit_xor},
        {"Min", BinaryOp::min},
        {"Max", BinaryOp::max},
        {"Sum", BinaryOp::add},
        {"Mean", BinaryOp::add},
    };
    if (node.op_type == "Mod") {
        return node.attributes.get_int("fmod", 0) != 0 ? BinaryOp::truncated_mod : BinaryOp::floor_mod;
    }
    if (node.op_type == "BitShift") {
        return node.attributes.get_string("direction", "") == "LEFT" ? BinaryOp::shift_left : BinaryOp::shift_right;
    }
    const auto found = kOps.find(node.op_type);
    if (found == kOps.end()) return {};
    return found->second;
}

/// Strides of a result in the form of the first operand that has its shape and no gaps.
Shape result_strides(const std::vector<Located>& operands, const Shape& shape) {
    for (const Located& operand : operands) {
        if (operand.shape == shape && operand.is_compact()) return operand.strides;
    }
    return row_major_strides(shape);
}

/// Strides of an operand, broadcast to the result, in the order in which the result lies in memory.
kernels::Strides operand_strides(const Located& operand, const Shape& shape, const std::vector<std::size_t>& order) {
    return strides_of(in_order(broadcast_strides(operand.shape, operand.strides, shape), order));
}

void apply(ProgramBuilder& builder, BinaryOp op, const Located& a, const Located& b, const Located& out,
           std::int64_t points, Phase phase) {
    auto operation = builder.kernel<kernels::BinaryArgs>("binary", builder.kernels().binary, points);
    const std::vector<std::size_t> order = storage_order(out.shape, out.strides);
    operation->args.op = op;
    operation->args.dims = dims_of(in_order(out.shape, order));
    operation->args.a_strides = operand_strides(a, out.shape, order);
    operation->args.b_strides = operand_strides(b, out.shape, order);
    operation->read(operation->args.a, a);
    operation->read(operation->args.b, b);
    operation->write(operation->args.out, out);
    operation->bind(operation->args.faults, builder.faults(phase), true);
    builder.watch(*operation, out);
    builder.add(std::move(operation), phase);
}

/// Mean's division by the number of operands.
void divide_by(ProgramBuilder& builder, const Located& array, std::size_t count, std::int64_t points, Phase phase) {
    const Located divisor = builder.constant_array(std::vector<float>{static_cast<float>(count)});
    Located scalar = divisor;
    scalar.shape = scalar.strides = {};
    apply(builder, BinaryOp::div, array, scalar, array, points, phase);
}

void select(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Shape& shape = builder.shape(output);
    const DType type = builder.storage(output);
    const Located condition = builder.read(node.inputs[0], {Demand::Form::any, {}});
    const Located a = builder.read(node.inputs[1], {Demand::Form::any, type});
    const Located b = builder.read(node.inputs[2], {Demand::Form::any, type});
    const Located out = builder.write(output, result_strides({a, b}, shape));
    const std::vector<std::size_t> order = storage_order(out.shape, out.strides);
    auto operation = builder.kernel<kernels::SelectArgs>("select", builder.kernels().select, builder.points_of(output));
    operation->args.dims = dims_of(in_order(out.shape, order));
    operation->args.condition_strides = operand_strides(condition, shape, order);
    operation->args.a_strides = operand_strides(a, shape, order);
    operation->args.b_strides = operand_strides(b, shape, order);
    operation->read(operation->args.condition, condition);
    operation->read(operation->args.a, a);
    operation->read(operation->args.b, b);
    operation->write(operation->args.out, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

}  // namespace

bool lower_binary(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty()) return false;
    if (node.op_type == "Where") {
        select(builder, node);
        return true;
    }
    const auto op = binary_op(node);
    if (!op) return false;
    const ValueId output = node.outputs[0];
    std::vector<Located> operands;
    for (const ValueId input : node.inputs)
        operands.push_back(builder.read(input, {Demand::Form::any, {}}));
    if (operands.size() == 1) {
        builder.define(output, builder.find(node.inputs[0]));
        return true;
    }
    // Pow takes exponents of another type: they follow the base.
    if (operands[0].type != operands[1].type && node.op_type == "Pow") {
        operands[1] = builder.read(node.inputs[1], {Demand::Form::compact, operands[0].type});
    }
    const Located out = builder.write(output, result_strides(operands, builder.shape(output)));
    const std::int64_t points = builder.points_of(output);
    const Phase phase = builder.phase_of(output);
    apply(builder, *op, operands[0], operands[1], out, points, phase);
    for (std::size_t k = 2; k < operands.size(); ++k)
        apply(builder, *op, out, operands[k], out, points, phase);
    if (node.op_type == "Mean") divide_by(builder, out, operands.size(), points, phase);
    return true;
}

}  // namespace lossmap::cuda
