#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cuda/backend/program_runner.hpp"

namespace lossmap::cuda {

/// Estimates batch-norm statistics: a batch is one tile, as its mean needs all of its samples, many points go through a
/// pass. Statistics of single batches come back to the host and are added there in batch order.
class StatisticsEstimator {
public:
    /// @param passes  PassChoice::training. `shared` must outlive the object.
    StatisticsEstimator(const ExecutableRequest& request, const std::vector<BuildOptions>& passes,
                        const Shared& shared);

    /// See Executable::estimate_statistics; points and chunk have been checked.
    void estimate(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                  std::span<StatisticSums> sums);
    /// Of the programs, one a size of batch.
    [[nodiscard]] std::vector<const Program*> programs() const;
    [[nodiscard]] std::int64_t memory_bytes() const;

private:
    /// Statistics of some tiles on their way to the host.
    struct Round {
        Memory results;  ///< pinned: f64 [tiles, points, states], two words of faults
        std::int64_t tiles = 0;
        std::shared_ptr<Mark> done;
    };

    [[nodiscard]] ProgramRunner& runner_of(std::int64_t batch_samples);
    /// Adds the batches of rows [first, first + rows), all of the runner's size.
    void add_batches(ProgramRunner& runner, std::span<const Point> points, const SampleChunk& chunk, std::int64_t first,
                     std::int64_t rows, std::span<StatisticSums> sums);
    void run_block(ProgramRunner& runner, const PointBlock& block, const Segment& segment,
                   std::span<StatisticSums> sums);
    /// Waits for a round and adds it.
    void collect(ProgramRunner& runner, Round& round, std::span<StatisticSums> sums) const;
    [[nodiscard]] std::size_t tile_bytes(const Program& program) const;

    const Shared& shared_;
    std::size_t states_ = 0;
    std::vector<std::unique_ptr<ProgramRunner>> runners_;
    std::array<Round, 2> rounds_;
};

}  // namespace lossmap::cuda
