#include <algorithm>

#include "cuda/backend/dense_chain.hpp"
#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"

namespace lossmap::cuda {
namespace {

/// `count` elements of an array that holds those of all layers, as an array of its own.
Located slice_of(const Located& all, std::int64_t first, const Shape& shape) {
    Located slice = all;
    slice.offset += first;
    slice.shape = shape;
    slice.strides = row_major_strides(shape);
    return slice;
}

/// One chain on its way into the program.
class DenseChainLowering {
public:
    DenseChainLowering(ProgramBuilder& builder, const Lowering& lowering, const DenseChain& chain)
        : builder_(builder),
          lowering_(lowering),
          chain_(chain),
          shape_(dense_shape_of(builder, lowering, chain)),
          output_(chain.layers.back().output),
          rows_(element_count(builder.shape(output_)) / shape_.widths[shape_.layers]) {}

    /// @return what the launch takes
    BlockTimes lower() {
        std::int64_t weights = 0, bias = 0;
        for (int k = 0; k < shape_.layers; ++k) {
            weights += std::int64_t{shape_.widths[k]} * kernels::stored_width(shape_.widths[k + 1]);
            bias += kernels::stored_width(shape_.widths[k + 1]);
        }
        weights_ = builder_.temporary(Phase::theta, builder_.activation_type(), {weights}, true);
        bias_ = builder_.temporary(Phase::theta, DType::f32, {bias}, true);
        weights = bias = 0;
        for (int k = 0; k < shape_.layers; ++k) {
            const std::int64_t stored = kernels::stored_width(shape_.widths[k + 1]);
            pack(k, slice_of(weights_, weights, {shape_.widths[k], stored}), slice_of(bias_, bias, {stored}));
            weights += shape_.widths[k] * stored;
            bias += stored;
        }
        launch();
        const std::int64_t samples = builder_.options().tile_samples;
        return dense_times(shape_, std::max<std::int64_t>(rows_ / samples, 1), builder_.device().facts());
    }

private:
    [[nodiscard]] const Step& step_of(int layer) const {
        return lowering_.steps[chain_.layers[static_cast<std::size_t>(layer)].step];
    }

    void pack(int index, const Located& weights, const Located& bias) {
        const Step& step = step_of(index);
        const JoinedLayer joined(builder_, step);
        const Node& node = builder_.node(step.node);
        const bool is_gemm = node.op_type == "Gemm";
        const bool transposed = is_gemm && node.attributes.get_int("transB", 0) != 0;
        const std::int64_t outputs = shape_.widths[index + 1];
        const auto norm = joined.fold_norm(outputs);
        WeightPack pack;
        pack.source = builder_.find(node.inputs[1]);
        if (!pack.source.pristine) pack.source = builder_.read(node.inputs[1], {Demand::Form::any, DType::f32});
        pack.extents = weights.shape;
        pack.valid = {shape_.widths[index], outputs};
        pack.source_strides = pack.source.strides;
        if (transposed) std::swap(pack.source_strides[0], pack.source_strides[1]);
        if (norm) pack.scale = norm->scale;
        pack.filter_axis = 1;
        if (is_gemm) pack.weight_factor = node.attributes.get_float("alpha", 1.0);
        pack.out = weights;
        builder_.packer().add(pack);
        const ValueId own = node.has_input(2) ? node.inputs[2] : kNoValue;
        joined.pack_bias_into(bias, {own, node.attributes.get_float("beta", 1.0)}, norm, outputs);
    }

    void launch() {
        const ValueId input = builder_.node(step_of(0).node).inputs[0];
        auto operation = builder_.kernel<kernels::DenseChainArgs>("dense_chain", builder_.kernels().dense_chain,
                                                                  builder_.options().points);
        kernels::DenseChainArgs& args = operation->args;
        args = shape_;
        args.points = builder_.options().points;
        args.rows = rows_;
        operation->read(args.in, builder_.read(input, {Demand::Form::dense, {}}));
        operation->read(args.weights, weights_);
        operation->read(args.bias, bias_);
        const Located result = builder_.write(output_);
        operation->write(args.out, result);
        args.between = builder_.activation_type();
        if (args.between == DType::f16) watch(*operation, result);
        builder_.add(std::move(operation), Phase::tile);
        for (int k = 0; k < shape_.layers; ++k)
            builder_.count_macs(rows_ * shape_.widths[k] * shape_.widths[k + 1]);
    }

    /// Results between layers are flagged as if they were stored, whatever the last one is stored as.
    void watch(KernelOperation<kernels::DenseChainArgs>& operation, const Located& result) {
        builder_.watch_samples(operation);
        const std::int64_t samples = builder_.options().tile_samples;
        operation.args.overflow.elements_per_sample = has_samples_outermost(result, samples) ? rows_ / samples : 0;
    }

    ProgramBuilder& builder_;
    const Lowering& lowering_;
    const DenseChain& chain_;
    kernels::DenseChainArgs shape_;
    ValueId output_;
    std::int64_t rows_;
    Located weights_;
    Located bias_;
};

}  // namespace

BlockTimes lower_dense_chain(ProgramBuilder& builder, const Lowering& lowering, const DenseChain& chain) {
    return DenseChainLowering(builder, lowering, chain).lower();
}

}  // namespace lossmap::cuda
