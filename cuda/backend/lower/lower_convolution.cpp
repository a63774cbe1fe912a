#include <algorithm>
#include <memory>
#include <optional>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"
#include "cuda/backend/library_operation.hpp"
#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/windows.hpp"
#include "cuda/backend/tiled_convolution.hpp"
#include "graph/ops/window.hpp"

namespace lossmap::cuda {
namespace {

/// Tensor cores want whole groups of 8 channels in 16 bits.
std::int64_t channel_multiple(DType type, std::int64_t groups) { return size_of(type) == 2 && groups == 1 ? 8 : 1; }

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

Precision precision_of(const ProgramBuilder& builder, DType type) {
    if (type != DType::f32) return builder.options().precision;
    return builder.options().precision == Precision::tf32 ? Precision::tf32 : Precision::fp32;
}

/// The MaxPool of 2 x 2 that alone reads a value of two spatial dimensions; nullptr where there is none.
const Node* pool_behind(const ProgramBuilder& builder, ValueId id) {
    const Graph& graph = builder.graph();
    const Shape& shape = builder.shape(id);
    const std::vector<std::int32_t> readers = graph.consumers()[static_cast<std::size_t>(id)];
    const bool leaves = std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
    if (shape.size() != 4 || readers.size() != 1 || leaves) return nullptr;
    const Node& node = builder.node(readers.front());
    if (!node.domain.empty() || node.op_type != "MaxPool" || node.has_output(1)) return nullptr;
    const ops::Window window = ops::forward_window(node, shape, node.attributes.get_ints("kernel_shape", {}));
    for (const std::size_t axis : {1, 2}) {
        const bool halves = window.kernel[axis] == 2 && window.stride[axis] == 2 && window.dilation[axis] == 1 &&
                            window.pad_begin[axis] == 0 && window.output[axis] == shape[axis + 1] / 2;
        if (!halves) return nullptr;
    }
    return &node;
}

/// One convolution on its way into the program.
class ConvolutionLowering {
public:
    ConvolutionLowering(ProgramBuilder& builder, const Step& step, bool pools)
        : builder_(builder),
          node_(builder.node(step.node)),
          joined_(builder, step),
          source_(builder.shape(node_.inputs[0])),
          weights_(builder.shape(node_.inputs[1])),
          window_(ops::forward_window(node_, source_, std::span(weights_).subspan(2))),
          step_(step) {
        output_ = joined_.output();
        type_ = builder.storage(output_) == DType::f32 && builder.per_point(output_) ? wide_type()
                                                                                     : builder.storage(output_);
        groups_ = node_.attributes.get_int("group", 1);
        multiple_ = channel_multiple(type_, groups_);
        filters_ = rounded_up(weights_[0], multiple_);
        channels_ = rounded_up(source_[1], multiple_);
        if (pools) pool_ = pool_behind(builder, output_);
    }

    void lower() {
        pack();
        images_ = builder_.read(node_.inputs[0], {Demand::Form::channels_last, type_, multiple_});
        if (step_.residual_add >= 0)
            residual_ = builder_.read(step_.residual, {Demand::Form::channels_last, type_, multiple_});
        result_ = new_result(output_);
        if (pool_ != nullptr && may_pool()) pooled_ = new_result(pool_->outputs[0]);
        auto plan = builder_.plan_convolution(problem());
        const bool pools = plan != nullptr && plan->pools();
        builder_.define(pools ? pool_->outputs[0] : output_, pools ? *pooled_ : result_);
        if (plan != nullptr)
            run_plan(std::move(plan));
        else
            run_direct();
        const std::int64_t pixels = ops::Window::count(window_.output);
        builder_.count_macs(source_[0] * weights_[0] * pixels * element_count(std::span(weights_).subspan(1)));
    }

private:
    /// A result that is kept in f32 whatever the precision is computed in the precision's own type all the same.
    [[nodiscard]] DType wide_type() const { return builder_.activation_type(); }

    void pack() {
        const auto norm = joined_.fold_norm(weights_[0]);
        WeightPack pack;
        pack.source = builder_.find(node_.inputs[1]);
        if (!pack.source.pristine) pack.source = builder_.read(node_.inputs[1], {Demand::Form::any, DType::f32});
        const Shape& strides = pack.source.strides;
        // [K, C / groups, taps ..] -> [K, taps .., C / groups]
        pack.valid = weights_;
        pack.source_strides = strides;
        std::rotate(pack.valid.begin() + 1, pack.valid.begin() + 2, pack.valid.end());
        std::rotate(pack.source_strides.begin() + 1, pack.source_strides.begin() + 2, pack.source_strides.end());
        pack.extents = pack.valid;
        pack.extents.front() = filters_;
        pack.extents.back() = groups_ == 1 ? channels_ : weights_[1];
        if (norm) pack.scale = norm->scale;
        pack.out = builder_.aligned_temporary(Phase::theta, type_, pack.extents, true);
        builder_.packer().add(pack);
        packed_ = pack.out;
        const ValueId own = node_.has_input(2) ? node_.inputs[2] : kNoValue;
        bias_ = joined_.pack_bias({own, 1.0}, norm, weights_[0], filters_);
    }

    [[nodiscard]] Located new_result(ValueId id) const {
        const Shape& shape = builder_.shape(id);
        Shape padded = shape;
        padded[1] = filters_;
        Located result = builder_.temporary(builder_.phase_of(id), type_, padded, builder_.per_point(id));
        result.shape = shape;
        result.strides = channels_last_strides(shape, filters_);
        return result;
    }

    /// Whether all that stands in front of the pooling is the library's or the kernel's, which keeps it in registers.
    [[nodiscard]] bool may_pool() const {
        const bool activates = joined_.activation().op == kernels::UnaryOp::identity || library_activates();
        return type_ != DType::f16 && activates && builder_.storage(pool_->outputs[0]) == type_ &&
               tiles_pool(own_problem(), builder_.device().facts());
    }

    /// What overflows f16 has to be seen before the activation hides it: the library then leaves the activation to us.
    [[nodiscard]] bool library_activates() const {
        return type_ != DType::f16 && joined_.activation().op == kernels::UnaryOp::relu;
    }

    [[nodiscard]] ConvolutionProblem problem() const {
        ConvolutionProblem problem = own_problem();
        problem.pooled = pooled_.has_value();
        if (!tiled_way(problem, builder_.device().facts())) {
            problem.pooled = false;
            return problem;
        }
        problem.points = builder_.points_of(output_);
        problem.stride_images = images_.point_stride;
        problem.stride_weights = packed_.point_stride;
        problem.stride_bias = bias_ ? bias_->point_stride : 0;
        problem.stride_result = result_.point_stride;
        problem.stride_pooled = problem.pooled ? pooled_->point_stride : 0;
        return problem;
    }

    /// As libraries see it, of one point.
    [[nodiscard]] ConvolutionProblem own_problem() const {
        ConvolutionProblem problem;
        problem.images = source_[0];
        problem.channels = channels_;
        problem.out_channels = filters_;
        problem.groups = groups_;
        problem.input = window_.input;
        problem.kernel = window_.kernel;
        problem.output = window_.output;
        problem.stride = window_.stride;
        problem.dilation = window_.dilation;
        problem.pad_begin = window_.pad_begin;
        problem.pad_end = window_.pad_end;
        problem.type = type_;
        problem.precision = precision_of(builder_, type_);
        problem.bias = bias_.has_value();
        problem.residual = residual_.has_value();
        problem.relu = library_activates();
        problem.alignment = std::min({images_.alignment(), packed_.alignment(), result_.alignment()});
        if (bias_) problem.alignment = std::min(problem.alignment, bias_->alignment());
        if (residual_) problem.alignment = std::min(problem.alignment, residual_->alignment());
        if (pooled_) problem.alignment = std::min(problem.alignment, pooled_->alignment());
        return problem;
    }

    void run_plan(std::shared_ptr<ConvolutionPlan> plan) {
        const JoinedWork joined = plan->joined();
        JoinedLayer::Rest rest{bias_, residual_, joined_.activation()};
        if (joined.bias) rest.bias.reset();
        if (joined.residual) rest.residual.reset();
        if (joined.activation) rest.activation = {};
        const Phase phase = builder_.phase_of(output_);
        const Located workspace =
            builder_.temporary(phase, DType::u8, {static_cast<std::int64_t>(plan->workspace_bytes())}, false);
        const std::int64_t points = builder_.points_of(output_);
        const std::int64_t launches = plan->covers_points() ? 1 : points;
        const bool pools = plan->pools();
        auto operation = std::make_unique<ConvolutionOperation>("convolution", std::move(plan), points, launches);
        operation->read(&ConvolutionOperands::images, images_);
        operation->read(&ConvolutionOperands::weights, packed_);
        if (joined.bias) operation->read(&ConvolutionOperands::bias, *bias_);
        if (joined.residual) operation->read(&ConvolutionOperands::residual, *residual_);
        operation->write(&ConvolutionOperands::result, pools ? *pooled_ : result_);
        operation->write(&ConvolutionOperands::workspace, workspace);
        builder_.add(std::move(operation), phase);
        // What pools has done all that stands in front of it.
        if (!pools) joined_.finish(result_, source_[0] * ops::Window::count(window_.output), filters_, rest);
    }

    void run_direct() {
        auto operation = builder_.kernel<kernels::ConvolutionArgs>("convolution", builder_.kernels().convolution,
                                                                   builder_.points_of(output_));
        kernels::ConvolutionArgs& args = operation->args;
        args.samples = source_[0];
        args.groups = groups_;
        args.group_channels = groups_ == 1 ? channels_ : weights_[1];
        args.group_filters = filters_ / groups_;
        args.window = geometry_of(window_);
        args.in_strides = kernels::channels_last(channels_, args.window.input);
        args.out_strides = kernels::channels_last(filters_, args.window.output);
        const std::int64_t taps = ops::Window::count(window_.kernel);
        args.weight_channel_stride = 1;
        args.weight_tap_strides[2] = args.group_channels;
        args.weight_tap_strides[1] = args.weight_tap_strides[2] * window_.kernel[2];
        args.weight_tap_strides[0] = args.weight_tap_strides[1] * window_.kernel[1];
        args.weight_filter_stride = taps * args.group_channels;
        args.weight_group_stride = args.weight_filter_stride * args.group_filters;
        operation->read(args.in, images_);
        operation->read(args.weight, packed_);
        JoinedLayer::Rest rest{{}, residual_, joined_.activation()};
        if (bias_) operation->read(args.bias, *bias_);
        if (!residual_ && type_ != DType::f16) {
            args.activation = rest.activation;
            rest.activation = {};
        }
        operation->write(args.out, result_);
        builder_.add(std::move(operation), builder_.phase_of(output_));
        joined_.finish(result_, source_[0] * ops::Window::count(window_.output), filters_, rest);
    }

    ProgramBuilder& builder_;
    const Node& node_;
    JoinedLayer joined_;
    const Shape& source_;
    const Shape& weights_;
    ops::Window window_;
    const Step& step_;
    ValueId output_ = kNoValue;
    DType type_ = DType::f32;
    std::int64_t groups_ = 1;
    std::int64_t multiple_ = 1;
    std::int64_t filters_ = 0;   ///< with padding
    std::int64_t channels_ = 0;  ///< with padding
    Located images_;
    Located packed_;
    std::optional<Located> bias_;
    std::optional<Located> residual_;
    Located result_;
    const Node* pool_ = nullptr;     ///< that may join
    std::optional<Located> pooled_;  ///< its result, where the kernel may compute it
};

}  // namespace

bool lower_convolution(ProgramBuilder& builder, const Step& step, bool pools) {
    const Node& node = builder.node(step.node);
    if (!node.domain.empty() || node.op_type != "Conv") return false;
    const Shape& source = builder.shape(node.inputs[0]);
    if (source.size() < 3 || source.size() > 5 || element_count(source) == 0) return false;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.has_input(k) && builder.value(node.inputs[k]).dtype != DType::f32) return false;
        if (k > 0 && node.has_input(k) && depends_on_samples(builder.class_of(node.inputs[k]))) return false;
    }
    if (builder.phase_of(node.outputs[0]) != Phase::tile) return false;
    if (element_count(builder.shape(node.outputs[0])) == 0) return false;
    ConvolutionLowering(builder, step, pools).lower();
    return true;
}

}  // namespace lossmap::cuda
