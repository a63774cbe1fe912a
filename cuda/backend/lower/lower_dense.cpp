#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/products.hpp"
#include "graph/ops/op_support.hpp"

namespace lossmap::cuda {
namespace {

/// Whether the third operand of a Gemm is one number an output feature, or one for all.
bool is_feature_bias(const ProgramBuilder& builder, ValueId id, std::int64_t features) {
    if (depends_on_samples(builder.class_of(id))) return false;
    const Shape& shape = builder.shape(id);
    const std::int64_t count = element_count(shape);
    return count == 1 || (count == features && shape.back() == features);
}

/// One dense layer on its way into the program.
class DenseLowering {
public:
    DenseLowering(ProgramBuilder& builder, const Step& step)
        : builder_(builder),
          step_(step),
          node_(builder.node(step.node)),
          joined_(builder, step),
          output_(joined_.output()),
          is_gemm_(node_.op_type == "Gemm"),
          transpose_b_(is_gemm_ && node_.attributes.get_int("transB", 0) != 0) {
        const Shape& weights = builder.shape(node_.inputs[1]);
        inner_ = weights[transpose_b_ ? 1 : 0];
        columns_ = weights[transpose_b_ ? 0 : 1];
        type_ = builder.per_point(output_) ? builder.activation_type() : DType::f32;
    }

    void lower() {
        Product product;
        product.a = builder_.read(node_.inputs[0], {Demand::Form::dense, type_});
        product.transpose_a = is_gemm_ && node_.attributes.get_int("transA", 0) != 0;
        product.transpose_b = transpose_b_;
        product.inner = inner_;
        product.columns = columns_;
        product.rows = element_count(builder_.shape(output_)) / columns_;
        const auto norm = joined_.fold_norm(columns_);
        product.b = pack(norm);
        const ValueId own = node_.has_input(2) ? node_.inputs[2] : kNoValue;
        product.bias = joined_.pack_bias({own, node_.attributes.get_float("beta", 1.0)}, norm, columns_, columns_);
        std::optional<Located> residual;
        if (joined_.has_residual()) residual = builder_.read(step_.residual, {Demand::Form::dense, {}});
        product.result = builder_.write(output_);
        // What overflows f16 has to be seen before the activation hides it, and behind the residual.
        const kernels::UnaryFunction activation = joined_.activation();
        product.relu = activation.op == kernels::UnaryOp::relu && !residual && product.result.type != DType::f16;
        const JoinedWork done = add_product(builder_, product, builder_.points_of(output_), builder_.phase_of(output_));
        JoinedLayer::Rest rest{product.bias, residual, activation};
        if (done.bias) rest.bias.reset();
        if (done.activation) rest.activation = {};
        joined_.finish(product.result, product.rows, columns_, rest);
        builder_.count_macs(product.rows * columns_ * inner_);
    }

private:
    [[nodiscard]] Located pack(const std::optional<NormFactorsPlace>& norm) {
        WeightPack pack;
        pack.source = builder_.find(node_.inputs[1]);
        if (!pack.source.pristine) pack.source = builder_.read(node_.inputs[1], {Demand::Form::any, DType::f32});
        pack.extents = pack.valid = pack.source.shape;
        pack.source_strides = pack.source.strides;
        if (norm) pack.scale = norm->scale;
        pack.filter_axis = transpose_b_ ? 0 : 1;
        if (is_gemm_) pack.weight_factor = node_.attributes.get_float("alpha", 1.0);
        pack.out = builder_.aligned_temporary(Phase::theta, type_, pack.extents, true);
        builder_.packer().add(pack);
        return pack.out;
    }

    ProgramBuilder& builder_;
    const Step& step_;
    const Node& node_;
    JoinedLayer joined_;
    ValueId output_;
    bool is_gemm_;
    bool transpose_b_;
    std::int64_t inner_ = 0;
    std::int64_t columns_ = 0;
    DType type_ = DType::f32;
};

}  // namespace

bool is_dense_layer(const ProgramBuilder& builder, const Step& step) {
    const Node& node = builder.node(step.node);
    if (!node.domain.empty() || (node.op_type != "Gemm" && node.op_type != "MatMul")) return false;
    if (builder.phase_of(node.outputs[0]) != Phase::tile) return false;
    if (depends_on_samples(builder.class_of(node.inputs[1])) || builder.shape(node.inputs[1]).size() != 2) return false;
    for (const ValueId id : node.inputs) {
        if (id != kNoValue && builder.value(id).dtype != DType::f32) return false;
    }
    if (element_count(builder.shape(node.outputs[0])) == 0 || builder.shape(node.inputs[0]).empty()) return false;
    if (node.op_type == "Gemm" && node.has_input(2)) {
        const Shape& result = builder.shape(node.outputs[0]);
        if (!is_feature_bias(builder, node.inputs[2], result.back())) return false;
    }
    return true;
}

bool lower_dense(ProgramBuilder& builder, const Step& step) {
    if (!is_dense_layer(builder, step)) return false;
    DenseLowering(builder, step).lower();
    return true;
}

}  // namespace lossmap::cuda
