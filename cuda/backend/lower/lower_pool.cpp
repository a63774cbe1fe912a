#include <optional>

#include "core/error.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/windows.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::cuda {
namespace {

std::optional<kernels::PoolKind> pool_kind(const Node& node) {
    if (node.op_type == "MaxPool") return kernels::PoolKind::max;
    if (node.op_type == "AveragePool") return kernels::PoolKind::average;
    if (node.op_type == "LpPool" || node.op_type == "GlobalLpPool") return kernels::PoolKind::lp;
    return {};
}

/// The result's form follows the input's.
Located write_like(ProgramBuilder& builder, ValueId id, const Located& in) {
    const bool last = in.strides[1] == 1 && !in.is_dense();
    return builder.write(id, last ? Demand::Form::channels_last : Demand::Form::dense);
}

}  // namespace

bool lower_pool(ProgramBuilder& builder, const Node& node) {
    const auto kind = node.domain.empty() ? pool_kind(node) : std::nullopt;
    if (!kind) return false;
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::any, {}});
    if (in.shape.size() < 3 || in.shape.size() > 5)
        throw UnsupportedError("an input of {} dimensions is not supported on the GPU", in.shape.size());
    const std::vector<std::int64_t> pixels(in.shape.begin() + 2, in.shape.end());
    const bool global = node.op_type.starts_with("Global");
    const ops::Window window =
        ops::forward_window(node, in.shape, global ? pixels : node.attributes.get_ints("kernel_shape", {}));
    const Located out = write_like(builder, output, in);
    auto operation = builder.kernel<kernels::PoolArgs>("pool", builder.kernels().pool, builder.points_of(output));
    kernels::PoolArgs& args = operation->args;
    args.kind = *kind;
    args.samples = in.shape[0];
    args.channels = in.shape[1];
    args.window = geometry_of(window);
    args.in_strides = plane_strides(in);
    args.out_strides = plane_strides(out);
    args.count_include_pad = node.attributes.get_int("count_include_pad", 0) != 0;
    args.column_major_indices = node.attributes.get_int("storage_order", 0) != 0;
    args.order = static_cast<double>(node.attributes.get_int("p", 2));
    operation->read(args.in, in);
    operation->write(args.out, out);
    if (node.has_output(1)) {
        // The indices lie like the result.
        const Located indices = builder.write(node.outputs[1], out.strides);
        operation->write(args.indices, indices);
    }
    builder.add(std::move(operation), builder.phase_of(output));
    return true;
}

}  // namespace lossmap::cuda
