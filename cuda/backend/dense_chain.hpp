#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cuda/backend/pass_model.hpp"
#include "cuda/backend/program_builder.hpp"
#include "cuda/backend/step_readers.hpp"
#include "kernels/dense_chain.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cuda {

/// Dense layers that one launch of the kernel dense_chain computes: each reads what the one in front of it made, and
/// nothing else does.
struct DenseChain {
    struct Layer {
        std::size_t step = 0;                   ///< of the lowering
        std::optional<std::size_t> activation;  ///< a step of its own
        kernels::UnaryFunction function;        ///< of that step, or of the layer's own
        ValueId output = kNoValue;              ///< behind the activation
    };
    std::vector<Layer> layers;

    /// All steps, in order.
    [[nodiscard]] std::vector<std::size_t> members() const;
};

/// Finds chains in a lowered graph, by what the steps are and by who reads their results, where the model holds the
/// kernel for faster than the library, layer by layer. What it says does not depend on points and samples of a pass: a
/// point's bits do not either.
class DenseChains {
public:
    DenseChains(const ProgramBuilder& builder, const Lowering& lowering);

    /// The longest chain of two layers or more that begins with a step; nullopt: there is none, or it is not worth it.
    [[nodiscard]] std::optional<DenseChain> from(std::size_t step) const;

private:
    /// The layer that a step is, its own activation in it; nullopt where the kernel does not compute it.
    [[nodiscard]] std::optional<DenseChain::Layer> layer_of(std::size_t step) const;
    /// The step that alone reads a value; nullopt where there is none, or more, or the value is a result.
    [[nodiscard]] std::optional<std::size_t> only_reader(ValueId value) const;
    /// Adds an activation that is a step of its own.
    void join_activation(DenseChain::Layer& layer) const;

    const ProgramBuilder& builder_;
    const Lowering& lowering_;
    StepReaders readers_;
};

/// Widths and activations of a chain, as the kernel takes them.
[[nodiscard]] kernels::DenseChainArgs dense_shape_of(const ProgramBuilder& builder, const Lowering& lowering,
                                                     const DenseChain& chain);

/// What a launch takes, for sizes of passes.
/// @param sample_rows  of a sample
[[nodiscard]] BlockTimes dense_times(const kernels::DenseChainArgs& shape, std::int64_t sample_rows,
                                     const DeviceFacts& facts);

/// Whether the kernel is faster than the library's products and what stands between them, by a model of both for passes
/// that fill the device.
/// @param type  of activations
[[nodiscard]] bool dense_chain_pays(const kernels::DenseChainArgs& shape, DType type, Precision precision,
                                    const DeviceFacts& facts);

}  // namespace lossmap::cuda
