#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/unary_functions.hpp"

namespace lossmap::cuda {
namespace {

void apply(ProgramBuilder& builder, const Node& node, const kernels::UnaryFunction& function) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::compact, {}});
    const Located out = builder.write(output, in.strides);
    auto operation = builder.kernel<kernels::UnaryArgs>("unary", builder.kernels().unary, builder.points_of(output));
    operation->args.function = function;
    operation->args.count = element_count(in.shape);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

void cast(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::compact, {}});
    const Located out = builder.write(output, in.strides);
    auto operation = builder.kernel<kernels::CastArgs>("cast", builder.kernels().cast, builder.points_of(output));
    operation->args.count = element_count(in.shape);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

}  // namespace

bool lower_unary(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty()) return false;
    if (node.op_type == "Cast" || node.op_type == "CastLike") {
        cast(builder, node);
        return true;
    }
    const auto function = unary_function(builder.graph(), node);
    if (!function) {
        if (node.op_type == "Clip")
            throw UnsupportedError("bounds that are not f32 constants are not supported on the GPU");
        return false;
    }
    const DType type = builder.value(node.inputs[0]).dtype;
    if (node.op_type == "Clip" && type != DType::f32) {
        throw UnsupportedError("elements of type {} are not supported on the GPU", name_of(type));
    }
    apply(builder, node, *function);
    return true;
}

}  // namespace lossmap::cuda
