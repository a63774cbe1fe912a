#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cpu/program_runner.hpp"

namespace lossmap::cpu {

/// Estimates batch-norm statistics: runs (point, batch) pairs on all threads, a batch as one tile, as its mean needs
/// all of its samples. Sums are added in batch order and do not depend on the number of threads.
class StatisticsEstimator {
public:
    /// @param request  with statistics_batches. @throws InputError, UnsupportedError: what bind_batch says.
    StatisticsEstimator(const ExecutableRequest& request, const std::shared_ptr<const ResidentState>& state,
                        WorkerPool& pool);

    /// See Executable::estimate_statistics; points and chunk have been checked.
    void estimate(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                  std::span<StatisticSums> sums);
    /// Of the programs, one a size of batch.
    [[nodiscard]] std::vector<const Program*> programs() const;
    [[nodiscard]] std::size_t memory_bytes() const;

private:
    /// Adds the batches of `chunk` from sample `begin` to `end`, all of the runner's size.
    void add_batches(ProgramRunner& runner, std::span<const Point> points, const SampleChunk& chunk, std::int64_t begin,
                     std::int64_t end, std::span<StatisticSums> sums);
    [[nodiscard]] ProgramRunner& runner_of(std::int64_t batch_samples);

    WorkerPool& pool_;
    std::size_t states_ = 0;
    std::vector<std::unique_ptr<ProgramRunner>> runners_;
};

}  // namespace lossmap::cpu
