#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cuda/backend/program_builder.hpp"
#include "cuda/backend/step_readers.hpp"
#include "kernels/stage.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cuda {

/// A kernel that computes chains.
struct StageKernel {
    const char* name;  ///< of its entry in the kernel table
    KernelOperation<kernels::StageArgs>::Launch kernels::KernelTable::*launch;
    kernels::StageFit (*fit)(std::int64_t channels, std::int64_t side, std::int64_t shared_bytes);
    DType pixels;
    const char* arithmetic;  ///< for plan records
    std::int64_t halves;     ///< of a weight
    bool crossing_skips;     ///< what a layer adds may be the input of one that adds something itself
};

/// The kernels for a program, the favourite first: the first one that has a chain's shape takes it. Their pixels and
/// arithmetic are the same. Empty: its precision has none, or the pass is left out.
[[nodiscard]] std::vector<const StageKernel*> stage_kernels(const BuildOptions& options, const PassSet& passes,
                                                            const DeviceFacts& facts);

/// Steps that one launch of a stage kernel computes: each reads what the one in front of it made.
struct StageChain {
    const StageKernel* kernel = nullptr;
    std::vector<std::size_t> steps;   ///< of the lowering, in order; the first one may change the number of channels
    std::vector<std::uint8_t> kinds;  ///< kernels::StageLayer bits, one a step
    ValueId residual = kNoValue;      ///< what the first layer adds, unless it is its own input
    /// The 3x3 convolution with stride 2 that reads the last result, and the 1x1 one beside it.
    std::optional<std::size_t> exit;
    std::optional<std::size_t> shortcut;
    bool keeps_result = true;  ///< something else reads the last result, too
    int channels = 0;          ///< that the kernel computes: as many as the layers have, or more
    int side = 0;
    int tile_images = 0;

    /// All steps, in the order of the kernel's weights.
    [[nodiscard]] std::vector<std::size_t> members() const;
};

/// Finds chains in a lowered graph, by what the steps are and by who reads their results.
class StageChains {
public:
    /// @param kernels  at least one
    StageChains(const ProgramBuilder& builder, const Lowering& lowering, std::vector<const StageKernel*> kernels);

    /// Why a step cannot be a layer of a chain; "" when it can, a first one at least.
    [[nodiscard]] std::string why_not(const Step& step) const;
    /// The longest chain of two convolutions or more that begins with a step; nullopt: there is none.
    [[nodiscard]] std::optional<StageChain> from(std::size_t step) const;

private:
    [[nodiscard]] ValueId output_of(const Step& step) const;
    /// The kernel for layers of a shape and how it takes them; no channels where there is none.
    [[nodiscard]] std::pair<const StageKernel*, kernels::StageFit> fit_of(std::int64_t channels,
                                                                          std::int64_t side) const;
    [[nodiscard]] std::optional<std::uint8_t> kind_of(const Step& step, ValueId previous) const;
    /// The step that convolves `value`, alike to `first`; nullopt when there is none.
    [[nodiscard]] std::optional<std::size_t> next(ValueId value, const Step& first) const;
    [[nodiscard]] bool stays_inside(const StageChain& chain, std::size_t length) const;
    /// Why a step is no convolution that a kernel could take; "" when it is one.
    [[nodiscard]] std::string why_no_convolution(const Step& step) const;
    /// Whether a step leaves for half the side with a square of `taps` taps.
    [[nodiscard]] bool leaves(const Step& step, std::int64_t taps, const StageChain& chain) const;
    /// Sets what the chain is left by, where there is such a thing.
    void find_exit(StageChain& chain) const;

    const ProgramBuilder& builder_;
    const Lowering& lowering_;
    std::vector<const StageKernel*> kernels_;
    std::int64_t shared_bytes_;  ///< of shared memory that a block may take
    StepReaders readers_;
};

}  // namespace lossmap::cuda
