#include "cuda/backend/lower/joined_layer.hpp"

#include "core/error.hpp"
#include "cuda/backend/lower/unary_functions.hpp"

namespace lossmap::cuda {

Located theta_source(ProgramBuilder& builder, ValueId id) {
    Located array = builder.find(id);
    if (array.pristine && array.is_dense()) return array;
    return builder.read(id, {Demand::Form::dense, DType::f32});
}

NormFactorsPlace fold_batch_norm(ProgramBuilder& builder, const Node& norm, std::int64_t channels) {
    NormFold fold;
    fold.gamma = theta_source(builder, norm.inputs[1]);
    fold.beta = theta_source(builder, norm.inputs[2]);
    fold.mean = theta_source(builder, norm.inputs[3]);
    fold.variance = theta_source(builder, norm.inputs[4]);
    fold.epsilon = norm.attributes.get_float("epsilon", 1e-5);
    fold.channels = channels;
    fold.out.scale = builder.temporary(Phase::theta, DType::f64, {channels}, true);
    fold.out.shift = builder.temporary(Phase::theta, DType::f64, {channels}, true);
    builder.packer().add(fold);
    return fold.out;
}

ValueId JoinedLayer::output() const { return builder_.node(step_.last_node()).outputs[0]; }

kernels::UnaryFunction JoinedLayer::activation() const {
    if (step_.activation < 0) return {};
    const auto function = unary_function(builder_.graph(), builder_.node(step_.activation));
    if (!function) throw UnsupportedError("its activation is not supported on the GPU");
    return *function;
}

std::optional<NormFactorsPlace> JoinedLayer::fold_norm(std::int64_t channels) const {
    if (step_.batch_norm < 0) return {};
    return fold_batch_norm(builder_, builder_.node(step_.batch_norm), channels);
}

std::optional<Located> JoinedLayer::pack_bias(const Bias& bias, const std::optional<NormFactorsPlace>& norm,
                                              std::int64_t features, std::int64_t padded) const {
    if (bias.own == kNoValue && step_.added_bias == kNoValue && !norm) return {};
    const Located out = builder_.aligned_temporary(Phase::theta, DType::f32, {padded}, true);
    pack_bias_into(out, bias, norm, features);
    return out;
}

void JoinedLayer::pack_bias_into(const Located& out, const Bias& bias, const std::optional<NormFactorsPlace>& norm,
                                 std::int64_t features) const {
    BiasPack pack;
    if (bias.own != kNoValue) {
        pack.bias = theta_source(builder_, bias.own);
        pack.one_for_all = element_count(pack.bias->shape) == 1;
        pack.bias_factor = bias.factor;
    }
    if (step_.added_bias != kNoValue) pack.added = theta_source(builder_, step_.added_bias);
    pack.norm = norm;
    pack.filters = features;
    pack.padded_filters = out.shape[0];
    pack.out = out;
    builder_.packer().add(pack);
}

void JoinedLayer::finish(const Located& result, std::int64_t rows, std::int64_t channels, const Rest& rest) const {
    const bool watches = result.type == DType::f16 && result.per_point();
    const bool activates = rest.activation.op != kernels::UnaryOp::identity;
    if (!rest.bias && !rest.residual && !activates && !watches) return;
    const ValueId id = output();
    auto operation =
        builder_.kernel<kernels::EpilogueArgs>("epilogue", builder_.kernels().epilogue, builder_.points_of(id));
    // Padding behind the channels is computed along with them: it holds zeros.
    operation->args.channels = channels;
    operation->args.rows = rows;
    operation->args.activation = rest.activation;
    operation->read(operation->args.in, result);
    if (rest.bias) operation->read(operation->args.bias, *rest.bias);
    if (rest.residual) operation->read(operation->args.residual, *rest.residual);
    operation->write(operation->args.out, result);
    builder_.watch(*operation, result);
    if (watches && operation->args.overflow.elements_per_sample > 0) {
        operation->args.overflow.elements_per_sample = rows * channels / builder_.options().tile_samples;
    }
    builder_.add(std::move(operation), builder_.phase_of(id));
}

}  // namespace lossmap::cuda
