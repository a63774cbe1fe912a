#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::cuda {
namespace {

bool lies_channels_last(const Located& array) {
    return array.shape.size() >= 3 && array.is_channels_last(array.shape[1]) && !array.is_dense();
}

/// In whichever of the two forms it lies already, dense otherwise.
Located read_planes(ProgramBuilder& builder, ValueId id) {
    Located array = builder.find(id);
    if (!array.pristine && lies_channels_last(array)) return array;
    return builder.read(id, {Demand::Form::dense, {}});
}

/// A vector of scales or shifts with `count` entries.
Located read_entries(ProgramBuilder& builder, ValueId id, std::int64_t count) {
    Located entries = builder.read(id, {Demand::Form::dense, DType::f32});
    if (element_count(entries.shape) != count) {
        throw UnsupportedError("a scale of shape {} over {} elements is not supported on the GPU",
                               to_string(entries.shape), count);
    }
    return entries;
}

using Normalize = KernelOperation<kernels::NormalizeArgs>;

void read_affine(ProgramBuilder& builder, const Node& node, Normalize& operation, std::int64_t count) {
    if (node.has_input(1)) operation.read(operation.args.scale, read_entries(builder, node.inputs[1], count));
    if (node.has_input(2)) operation.read(operation.args.shift, read_entries(builder, node.inputs[2], count));
}

void layer_norm(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    const auto axis = static_cast<std::size_t>(normalize_axis(node.attributes.get_int("axis", -1), in.shape.size()));
    const std::int64_t rows = ops::extent_product(in.shape, 0, axis);
    const std::int64_t width = ops::extent_product(in.shape, axis, in.shape.size());
    auto operation =
        builder.kernel<kernels::NormalizeArgs>("normalize", builder.kernels().normalize, builder.points_of(output));
    operation->args.rms = node.op_type == "RMSNormalization";
    operation->args.samples = rows;
    operation->args.group_channels = width;
    operation->args.epsilon = node.attributes.get_float("epsilon", 1e-5);
    read_affine(builder, node, *operation, width);
    const Located out = builder.write(output);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    if (node.has_output(1)) operation->write(operation->args.mean, builder.write(node.outputs[1]));
    if (node.has_output(2)) operation->write(operation->args.inverse, builder.write(node.outputs[2]));
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

void group_norm(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = read_planes(builder, node.inputs[0]);
    const std::int64_t channels = in.shape.at(1);
    const std::int64_t groups =
        node.op_type == "InstanceNormalization" ? channels : node.attributes.get_int("num_groups");
    const std::int64_t entries = element_count(builder.shape(node.inputs[1]));
    auto operation =
        builder.kernel<kernels::NormalizeArgs>("normalize", builder.kernels().normalize, builder.points_of(output));
    operation->args.samples = in.shape[0];
    operation->args.groups = groups;
    operation->args.group_channels = channels / groups;
    operation->args.inner = ops::extent_product(in.shape, 2, in.shape.size());
    operation->args.channels_per_entry = channels / entries;
    operation->args.channels_last = lies_channels_last(in);
    operation->args.epsilon = node.attributes.get_float("epsilon", 1e-5);
    read_affine(builder, node, *operation, entries);
    const Located out = builder.write(output, in.strides);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

/// Scale and shift of a batch norm from the statistics of its tile, which is a batch; they are handed out, too.
NormFactorsPlace train_batch_norm(ProgramBuilder& builder, const Node& node, const TrainingNorm& norm,
                                  const Located& in) {
    const auto channels = static_cast<std::int64_t>(norm.channels);
    auto operation = builder.kernel<kernels::BatchStatisticsArgs>(
        "batch_statistics", builder.kernels().batch_statistics, builder.options().points);
    kernels::BatchStatisticsArgs& args = operation->args;
    const bool last = lies_channels_last(in);
    const std::int64_t pixels = ops::extent_product(in.shape, 2, in.shape.size());
    args.samples = last ? in.shape[0] * pixels : in.shape[0];
    args.channels = channels;
    args.inner = last ? 1 : pixels;
    args.epsilon = node.attributes.get_float("epsilon", 1e-5);
    const auto part_of_statistics = [&](std::size_t offset) {
        Located part = builder.statistics();
        part.offset = static_cast<std::int64_t>(offset);
        part.shape = {channels};
        return part;
    };
    NormFactorsPlace factors{builder.temporary(Phase::tile, DType::f64, {channels}, true),
                             builder.temporary(Phase::tile, DType::f64, {channels}, true)};
    args.statistics_point_stride = builder.statistics().point_stride;
    args.factor_point_stride = channels;
    operation->read(args.in, in);
    operation->read(args.gamma, read_entries(builder, node.inputs[1], channels));
    operation->read(args.beta, read_entries(builder, node.inputs[2], channels));
    operation->bind(args.mean, part_of_statistics(norm.mean_offset), true);
    operation->bind(args.variance, part_of_statistics(norm.variance_offset), true);
    operation->bind(args.scale, factors.scale, true);
    operation->bind(args.shift, factors.shift, true);
    builder.add(std::move(operation), Phase::tile);
    return factors;
}

void batch_norm(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    if (node.has_output(1)) throw UnsupportedError("statistics as outputs are not supported on the GPU");
    for (std::size_t k = 1; k < 5; ++k) {
        if (depends_on_samples(builder.class_of(node.inputs[k])))
            throw UnsupportedError("statistics that depend on the data are not supported on the GPU");
    }
    if (builder.phase_of(output) != Phase::tile)
        throw UnsupportedError("a batch norm of parameters is not supported on the GPU");
    const Located in = read_planes(builder, node.inputs[0]);
    const std::int64_t channels = in.shape.size() > 1 ? in.shape[1] : 1;
    const TrainingNorm* training = builder.training_norm(node);
    const NormFactorsPlace factors =
        training != nullptr ? train_batch_norm(builder, node, *training, in) : fold_batch_norm(builder, node, channels);
    const bool last = lies_channels_last(in);
    const std::int64_t pixels =
        ops::extent_product(in.shape, std::min<std::size_t>(2, in.shape.size()), in.shape.size());
    auto operation =
        builder.kernel<kernels::BatchNormArgs>("batch_norm", builder.kernels().batch_norm, builder.points_of(output));
    operation->args.samples = last ? in.shape[0] * pixels : in.shape[0];
    operation->args.channels = channels;
    operation->args.inner = last ? 1 : pixels;
    operation->args.factor_point_stride = factors.scale.point_stride;
    operation->bind(operation->args.scale, factors.scale, false);
    operation->bind(operation->args.shift, factors.shift, false);
    const Located out = builder.write(output, in.strides);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.watch(*operation, out);
    builder.add(std::move(operation), builder.phase_of(output));
}

void local_response(ProgramBuilder& builder, const Node& node) {
    const ValueId output = node.outputs[0];
    const Located in = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    auto operation = builder.kernel<kernels::LocalResponseArgs>("local_response", builder.kernels().local_response,
                                                                builder.points_of(output));
    operation->args.samples = in.shape[0];
    operation->args.channels = in.shape.at(1);
    operation->args.inner = ops::extent_product(in.shape, 2, in.shape.size());
    operation->args.size = node.attributes.get_int("size");
    operation->args.alpha = node.attributes.get_float("alpha", 1e-4);
    operation->args.beta = node.attributes.get_float("beta", 0.75);
    operation->args.bias = node.attributes.get_float("bias", 1.0);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, builder.write(output));
    builder.add(std::move(operation), builder.phase_of(output));
}

}  // namespace

bool lower_normalization(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty()) return false;
    if (node.op_type == "LayerNormalization" || node.op_type == "RMSNormalization") {
        layer_norm(builder, node);
    } else if (node.op_type == "InstanceNormalization" || node.op_type == "GroupNormalization") {
        group_norm(builder, node);
    } else if (node.op_type == "BatchNormalization") {
        batch_norm(builder, node);
    } else if (node.op_type == "LRN") {
        local_response(builder, node);
    } else {
        return false;
    }
    return true;
}

}  // namespace lossmap::cuda
