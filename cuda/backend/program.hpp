#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "backend/bound_request.hpp"
#include "backend/training_norms.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/operation.hpp"
#include "cuda/backend/pass_model.hpp"
#include "cuda/backend/program_builder.hpp"
#include "cuda/backend/theta_packer.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cuda {

/// A graph input: the field of the data set that feeds it and where a tile of it lies, dense, in the graph's own type
/// or as bytes.
struct ProgramInput {
    std::size_t field = 0;
    Located array;
    std::optional<Located> table{};  ///< of bytes: what they stand for, f32 [channels, 256], the same for all tiles
    std::int64_t sample_elements = 0;
};

/// A network made ready for passes of a fixed number of points and samples.
struct Program {
    BuildOptions options;
    PassSet passes;
    BoundRequest bound;
    Lowering lowering;
    ProgramBuilder::Result parts;
    ThetaPlaces theta;
    std::vector<ProgramInput> inputs;
    Located output;                            ///< f32, dense, [tile_samples, ..] a point
    Located flags;                             ///< ProgramBuilder::flags
    Located faults;                            ///< ProgramBuilder::faults
    std::vector<TrainingNorm> training_norms;  ///< empty: inference
    Located statistics;                        ///< ProgramBuilder::statistics, of training programs
    /// Values of the graph that a tile leaves behind, where they were asked for.
    std::vector<std::pair<ValueId, Located>> kept;
    /// Convolutions that stage kernels compute, a list a launch of a tile, which is how the cost of a pass knows
    /// these launches; and convolutions that none computes, and why.
    std::vector<std::vector<std::string>> stages;
    std::vector<std::pair<std::string, std::string>> outside_stages;
    std::string stage_arithmetic;  ///< of those kernels
    /// Dense layers that one launch computes, a list a launch; and what each launch takes.
    std::vector<std::vector<std::string>> dense_chains;
    std::vector<BlockTimes> dense_times;
    std::int64_t macs_per_sample = 0;

    /// Whether results are those of fp32 itself, so that there is nothing to compute again.
    [[nodiscard]] bool is_exact() const { return options.precision == Precision::fp32 && stages.empty(); }
    [[nodiscard]] std::size_t arena_bytes(Phase phase) const {
        return parts.arena_bytes[static_cast<std::size_t>(phase)];
    }
    /// Bytes of device memory that a program takes while it runs.
    [[nodiscard]] std::int64_t memory_bytes() const;
};

/// Builds the program; nothing is allocated and nothing runs. Throws InputError, UnsupportedError: one sentence that
/// names every node that the GPU has no way for.
/// @param bound  from bind_batch where options.training
[[nodiscard]] std::unique_ptr<Program> build_program(const ExecutableRequest& request, BoundRequest bound,
                                                     Planner& planner, const BuildOptions& options);

/// JSON object of what a result's bits depend on beside the inputs.
/// @param training  programs that estimate statistics
/// @param rescue    the record of what evaluates overflowed samples; "" when there is nothing
[[nodiscard]] std::string plan_record(const Program& program, std::span<const Program* const> training,
                                      const std::string& rescue, const DeviceFacts& facts);

}  // namespace lossmap::cuda
