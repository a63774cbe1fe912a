#include <algorithm>

#include "cuda/backend/lower/joined_layer.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "kernels/stage.hpp"

namespace lossmap::cuda {
namespace {

constexpr std::int64_t kGroup = 8;  ///< channels that stand together

/// One chain on its way into the program.
class StageLowering {
public:
    StageLowering(ProgramBuilder& builder, const Lowering& lowering, const StageChain& chain)
        : builder_(builder),
          lowering_(lowering),
          chain_(chain),
          kernel_(*chain.kernel),
          channels_(chain.channels),
          block_{3, 3, channels_ / kGroup, channels_, kGroup} {}

    void lower() {
        const std::int64_t parts = chain_.exit ? (stored(filters_of(*chain_.exit)) + channels_ - 1) / channels_ : 0;
        const std::int64_t blocks = std::ssize(chain_.steps) + parts * (chain_.shortcut ? 2 : 1);
        weights_ =
            builder_.temporary(Phase::theta, DType::f16, {blocks * kernel_.halves * element_count(block_)}, true);
        bias_ = builder_.temporary(Phase::theta, DType::f32, {blocks * channels_}, true);
        std::int64_t block = 0;
        for (const std::size_t member : chain_.members()) {
            const std::int64_t count = block < std::ssize(chain_.steps) ? 1 : parts;
            pack(lowering_.steps[member], block, count);
            block += count;
        }
        launch();
    }

private:
    [[nodiscard]] static std::int64_t stored(std::int64_t channels) {
        return (channels + kGroup - 1) / kGroup * kGroup;
    }
    [[nodiscard]] const Shape& weights_of(std::size_t step) const {
        return builder_.shape(builder_.node(lowering_.steps[step].node).inputs[1]);
    }
    [[nodiscard]] std::int64_t filters_of(std::size_t step) const { return weights_of(step)[0]; }

    /// `elements` elements of an array that holds all blocks, as an array of its own.
    [[nodiscard]] static Located slice_of(const Located& all, std::int64_t first, const Shape& shape) {
        Located slice = all;
        slice.offset += first;
        slice.shape = shape;
        slice.strides = row_major_strides(shape);
        return slice;
    }

    /// [filters, channels, taps, taps] -> [3, 3, channels / 8, filters, 8], so many filters a block; one tap alone
    /// stands in the middle.
    void pack(const Step& step, std::int64_t first_block, std::int64_t blocks) {
        const JoinedLayer joined(builder_, step);
        const Node& node = builder_.node(step.node);
        const Shape& weights = builder_.shape(node.inputs[1]);
        const std::int64_t filters = weights[0], group = std::min(weights[1], kGroup);
        const auto norm = joined.fold_norm(filters);
        Located source = builder_.find(node.inputs[1]);
        if (!source.pristine) source = builder_.read(node.inputs[1], {Demand::Form::any, DType::f32});
        const Shape& strides = source.strides;
        Shape extents = block_;
        extents[0] = weights[2];
        extents[1] = weights[3];
        const std::int64_t tap = weights[2] == 1 ? 4 * channels_ * channels_ : 0;
        for (std::int64_t k = 0; k < blocks; ++k) {
            WeightPack pack;
            pack.source = source;
            pack.source.offset += k * channels_ * strides[0];
            pack.source_strides = {strides[2], strides[3], kGroup * strides[1], strides[0], strides[1]};
            pack.extents = extents;
            pack.valid = {weights[2], weights[3], stored(weights[1]) / kGroup,
                          std::min(channels_, filters - k * channels_), group};
            pack.filter_axis = 3;
            if (norm) {
                pack.scale = norm->scale;
                pack.scale->offset += k * channels_;
            }
            const std::int64_t place = (first_block + k) * kernel_.halves * element_count(block_) + tap;
            pack.out = slice_of(weights_, place, extents);
            if (kernel_.halves == 2) pack.low = slice_of(weights_, place + element_count(block_), extents);
            builder_.packer().add(pack);
        }
        const ValueId own = node.has_input(2) ? node.inputs[2] : kNoValue;
        joined.pack_bias_into(slice_of(bias_, first_block * channels_, {blocks * channels_}), {own, 1.0}, norm,
                              filters);
    }

    /// Memory for the result of a step, its channels padded to whole groups.
    [[nodiscard]] Located write(std::size_t step) {
        const ValueId id = JoinedLayer(builder_, lowering_.steps[step]).output();
        const Shape& shape = builder_.shape(id);
        Shape padded = shape;
        padded[1] = stored(shape[1]);
        Located result = builder_.temporary(Phase::tile, kernel_.pixels, padded, true);
        result.shape = shape;
        result.strides = channels_last_strides(shape, padded[1]);
        builder_.define(id, result);
        return result;
    }

    void launch() {
        const Demand pixels{Demand::Form::channels_last, kernel_.pixels, kGroup};
        const ValueId input = builder_.node(lowering_.steps[chain_.steps.front()].node).inputs[0];
        auto operation = builder_.kernel<kernels::StageArgs>(kernel_.name, builder_.kernels().*kernel_.launch,
                                                             builder_.options().points);
        kernels::StageArgs& args = operation->args;
        operation->read(args.in, builder_.read(input, pixels));
        if (chain_.residual != kNoValue) operation->read(args.residual, builder_.read(chain_.residual, pixels));
        operation->read(args.weights, weights_);
        operation->read(args.bias, bias_);
        args.samples = builder_.options().tile_samples;
        args.channels = chain_.channels;
        args.side = chain_.side;
        args.tile_images = chain_.tile_images;
        args.layers = static_cast<int>(chain_.steps.size());
        args.in_channels = static_cast<int>(stored(builder_.shape(input)[1]));
        args.out_channels = static_cast<int>(stored(filters_of(chain_.steps.back())));
        std::copy(chain_.kinds.begin(), chain_.kinds.end(), args.kinds);
        if (chain_.keeps_result) operation->write(args.out, write(chain_.steps.back()));
        if (chain_.exit) {
            args.exit_channels = static_cast<int>(stored(filters_of(*chain_.exit)));
            args.exit_relu = lowering_.steps[*chain_.exit].activation >= 0;
            operation->write(args.exit, write(*chain_.exit));
            if (chain_.shortcut) operation->write(args.shortcut, write(*chain_.shortcut));
        }
        builder_.watch_samples(*operation);
        builder_.add(std::move(operation), Phase::tile);
        for (const std::size_t member : chain_.members()) {
            const Shape& made = builder_.shape(JoinedLayer(builder_, lowering_.steps[member]).output());
            builder_.count_macs(element_count(made) * element_count(weights_of(member)) / made[1]);
        }
    }

    ProgramBuilder& builder_;
    const Lowering& lowering_;
    const StageChain& chain_;
    const StageKernel& kernel_;
    std::int64_t channels_;  ///< that the kernel computes
    Shape block_;            ///< of weights
    Located weights_;
    Located bias_;
};

}  // namespace

void lower_stage(ProgramBuilder& builder, const Lowering& lowering, const StageChain& chain) {
    StageLowering(builder, lowering, chain).lower();
}

}  // namespace lossmap::cuda
