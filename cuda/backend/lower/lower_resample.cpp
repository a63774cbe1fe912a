#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "graph/operator_table.hpp"

// The weights of a linear or cubic Resize are asked of the operator's own kernel on the host: its answer to a single 1
// in a row of zeros is a column of them. One dimension after the other.
namespace lossmap::cuda {
namespace {

/// Weights of one dimension, [output, input].
struct AxisWeights {
    std::int64_t input = 1;
    std::int64_t output = 1;
    std::vector<double> values;

    [[nodiscard]] bool is_identity() const {
        if (input != output) return false;
        for (std::int64_t x = 0; x < output; ++x) {
            for (std::int64_t i = 0; i < input; ++i) {
                if (values[static_cast<std::size_t>(x * input + i)] != (x == i ? 1.0 : 0.0)) return false;
            }
        }
        return true;
    }
};

AxisWeights weights_of(const ProgramBuilder& builder, const Node& node, std::size_t axis) {
    const OperatorInfo* info = find_operator(node.domain, node.op_type);
    if (info == nullptr || info->run == nullptr) throw InternalError("{} has no kernel", node.describe());
    AxisWeights result;
    result.input = builder.shape(node.inputs[0])[axis];
    result.output = builder.shape(node.outputs[0])[axis];
    result.values.resize(static_cast<std::size_t>(result.input * result.output));
    Shape line(builder.shape(node.inputs[0]).size(), 1);
    line[axis] = result.input;
    InferenceContext context{node, {{DType::f64, line}}, {nullptr}};
    std::vector<ConstTensorView> inputs(1);
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        const Tensor* given = node.has_input(k) ? builder.constant(node.inputs[k]) : nullptr;
        inputs.push_back(given == nullptr ? ConstTensorView() : given->view());
        context.inputs.push_back(given == nullptr ? TensorType{} : TensorType{given->dtype(), given->shape()});
        context.constants.push_back(given);
    }
    Tensor impulse(DType::f64, line);
    Tensor response(DType::f64, info->infer(context).at(0).shape);
    if (response.shape()[axis] != result.output)
        throw UnsupportedError("dimensions that are resized together are not supported on the GPU");
    const std::int64_t step = row_major_strides(response.shape())[axis];
    const std::vector<TensorView> outputs{response.view()};
    for (std::int64_t i = 0; i < result.input; ++i) {
        const auto values = impulse.as<double>();
        std::fill(values.begin(), values.end(), 0.0);
        values[static_cast<std::size_t>(i)] = 1.0;
        inputs[0] = impulse.view();
        info->run(node, inputs, outputs);
        for (std::int64_t x = 0; x < result.output; ++x) {
            result.values[static_cast<std::size_t>(x * result.input + i)] =
                response.as<double>()[static_cast<std::size_t>(x * step)];
        }
    }
    return result;
}

/// The weights that are not zero, the same number of them for every output position.
struct Taps {
    int count = 1;
    std::vector<std::int32_t> sources;
    std::vector<double> weights;

    explicit Taps(const AxisWeights& axis) {
        std::vector<std::vector<std::int32_t>> found(static_cast<std::size_t>(axis.output));
        for (std::int64_t x = 0; x < axis.output; ++x) {
            for (std::int64_t i = 0; i < axis.input; ++i) {
                if (axis.values[static_cast<std::size_t>(x * axis.input + i)] != 0.0)
                    found[static_cast<std::size_t>(x)].push_back(static_cast<std::int32_t>(i));
            }
            count = std::max(count, static_cast<int>(found[static_cast<std::size_t>(x)].size()));
        }
        for (std::size_t x = 0; x < found.size(); ++x) {
            for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k) {
                const bool real = k < found[x].size();
                const std::int32_t source = real ? found[x][k] : found[x].empty() ? 0 : found[x].back();
                sources.push_back(source);
                weights.push_back(
                    real ? axis.values[x * static_cast<std::size_t>(axis.input) + static_cast<std::size_t>(source)]
                         : 0.0);
            }
        }
    }
};

Located resampled(ProgramBuilder& builder, ValueId output, const Located& in, std::size_t axis,
                  const AxisWeights& weights) {
    Shape shape = in.shape;
    shape[axis] = weights.output;
    const Phase phase = builder.phase_of(output);
    Located out = builder.temporary(phase, builder.storage(output), shape, builder.per_point(output));
    const AxisSplit split = split_at(in.shape, axis);
    const Taps taps(weights);
    auto operation =
        builder.kernel<kernels::ResampleArgs>("resample", builder.kernels().resample, builder.points_of(output));
    operation->args.outer = split.outer;
    operation->args.in_extent = weights.input;
    operation->args.out_extent = weights.output;
    operation->args.inner = split.inner;
    operation->args.taps = taps.count;
    operation->bind(operation->args.sources, builder.constant_array(taps.sources), false);
    operation->bind(operation->args.weights, builder.constant_array(taps.weights), false);
    operation->read(operation->args.in, in);
    operation->write(operation->args.out, out);
    builder.add(std::move(operation), phase);
    return out;
}

}  // namespace

bool lower_resample(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty() || (node.op_type != "Resize" && node.op_type != "Upsample")) return false;
    const std::string coordinates = node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
    if (coordinates == "tf_crop_and_resize") throw UnsupportedError("cropping is not supported on the GPU");
    for (std::size_t k = 1; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && builder.constant(node.inputs[k]) == nullptr)
            throw UnsupportedError("sizes that are not constant are not supported on the GPU");
    }
    const ValueId output = node.outputs[0];
    Located array = builder.read(node.inputs[0], {Demand::Form::dense, {}});
    for (std::size_t axis = 0; axis < array.shape.size(); ++axis) {
        // Samples and channels of an image are hardly ever resized, and would be slow to ask for.
        if (builder.shape(output)[axis] == array.shape[axis] && axis < 2) continue;
        const AxisWeights weights = weights_of(builder, node, axis);
        if (!weights.is_identity()) array = resampled(builder, output, array, axis, weights);
    }
    builder.define(output, array);
    return true;
}

}  // namespace lossmap::cuda
