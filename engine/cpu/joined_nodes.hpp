#pragma once

#include <optional>

#include "cpu/activation.hpp"
#include "cpu/materializer.hpp"
#include "cpu/program_builder.hpp"

namespace lossmap::cpu {

/// What the plan joined to a convolution or dense layer, as the CPU's lowerings need it.
class JoinedNodes {
public:
    JoinedNodes(ProgramBuilder& builder, const Step& step) : builder_(builder), step_(step) {}

    /// The value that the whole step computes.
    [[nodiscard]] ValueId output() const;
    [[nodiscard]] std::optional<FoldedNorm> norm() const;
    [[nodiscard]] bool has_residual() const { return step_.residual_add >= 0; }
    [[nodiscard]] Activation activation() const;

    /// Memory for the result, to which the primitive adds when there is a residual.
    struct Target {
        Place place;
        Place copy_from;  ///< the residual, where it does not lie in `place` already
    };
    /// @param keep_apart  the primitive's own source.
    [[nodiscard]] Target target(Form form, const Place& keep_apart) const;

private:
    ProgramBuilder& builder_;
    const Step& step_;
};

}  // namespace lossmap::cpu
