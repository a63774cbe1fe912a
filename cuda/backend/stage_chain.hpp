#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cuda/backend/program_builder.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cuda {

/// Steps that one launch of the stage kernel computes: each reads what the one in front of it made.
struct StageChain {
    std::vector<std::size_t> steps;   ///< of the lowering, in order
    std::vector<std::uint8_t> kinds;  ///< kernels::StageLayer bits, one a step
    ValueId residual = kNoValue;      ///< what the first layer adds, unless it is its own input
    int channels = 0;
    int side = 0;
    int tile_images = 0;
};

/// Finds chains in a lowered graph, by what the steps are and by who reads their results.
class StageChains {
public:
    /// @param shared_bytes  of shared memory that a block may take
    StageChains(const ProgramBuilder& builder, const Lowering& lowering, std::int64_t shared_bytes);

    /// Why a step cannot be a layer of a chain; "" when it can.
    [[nodiscard]] std::string why_not(const Step& step) const;
    /// The longest chain of two layers or more that begins with a step; nullopt: there is none.
    [[nodiscard]] std::optional<StageChain> from(std::size_t step) const;

private:
    [[nodiscard]] ValueId output_of(const Step& step) const;
    [[nodiscard]] std::optional<std::uint8_t> kind_of(const Step& step, ValueId previous) const;
    /// The step that convolves `value`, alike to `first`; nullopt when there is none.
    [[nodiscard]] std::optional<std::size_t> next(ValueId value, const Step& first) const;
    [[nodiscard]] bool stays_inside(const StageChain& chain, std::size_t length) const;

    const ProgramBuilder& builder_;
    const Lowering& lowering_;
    std::int64_t shared_bytes_;
    std::vector<std::vector<std::int32_t>> consumers_;
    std::vector<std::int32_t> step_of_node_;  ///< by node: the step that begins with it, -1
    std::vector<bool> is_output_;
};

}  // namespace lossmap::cuda
