#pragma once

#include <optional>

#include "cuda/backend/program_builder.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::cuda {

/// What the plan joined to a convolution or dense layer, as the GPU's lowerings need it.
class JoinedLayer {
public:
    JoinedLayer(ProgramBuilder& builder, const Step& step) : builder_(builder), step_(step) {}

    /// The value that the whole step computes.
    [[nodiscard]] ValueId output() const;
    [[nodiscard]] bool has_residual() const { return step_.residual_add >= 0; }
    [[nodiscard]] bool has_norm() const { return step_.batch_norm >= 0; }
    /// Identity where there is none. Throws UnsupportedError for one that the GPU's kernels lack.
    [[nodiscard]] kernels::UnaryFunction activation() const;
    /// Scale and shift of the batch norm, computed with the weights; nullopt without one.
    [[nodiscard]] std::optional<NormFactorsPlace> fold_norm(std::int64_t channels) const;

    /// Bias of the layer itself and added behind it, with the norm folded in; f32 [padded] a point.
    struct Bias {
        ValueId own = kNoValue;
        double factor = 1.0;
    };
    [[nodiscard]] std::optional<Located> pack_bias(const Bias& bias, const std::optional<NormFactorsPlace>& norm,
                                                   std::int64_t features, std::int64_t padded) const;
    /// The same into memory that is there already, f32 [>= features]; zeros where there is nothing.
    void pack_bias_into(const Located& out, const Bias& bias, const std::optional<NormFactorsPlace>& norm,
                        std::int64_t features) const;

    /// What the library's plan did not compute: bias, residual, activation, and the watch over what f16 does not hold.
    struct Rest {
        std::optional<Located> bias;
        std::optional<Located> residual;
        kernels::UnaryFunction activation;
    };
    /// Adds a kernel for it, in place, where there is anything to do. `result` lies as [rows, channels]; padding behind
    /// its channels counts as channels.
    void finish(const Located& result, std::int64_t rows, std::int64_t channels, const Rest& rest) const;

private:
    ProgramBuilder& builder_;
    const Step& step_;
};

/// A value of theta for a wave of weights: the parameter as it lies in the origin where it is one, else dense f32.
[[nodiscard]] Located theta_source(ProgramBuilder& builder, ValueId id);
/// Scale and shift of a BatchNormalization node, computed with the weights.
[[nodiscard]] NormFactorsPlace fold_batch_norm(ProgramBuilder& builder, const Node& norm, std::int64_t channels);

}  // namespace lossmap::cuda
