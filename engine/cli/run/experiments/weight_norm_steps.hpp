#pragma once

#include "cli/run/experiments/experiment_steps.hpp"

namespace lossmap {

/// Norms of the weights of each checkpoint; needs no data.
class WeightNormSteps final : public ExperimentSteps {
public:
    /// Reads every checkpoint once, one at a time; hash and norms come from the same pass.
    void prepare(PreparedRun& run, int threads, RunLog& log) const override;
    [[nodiscard]] std::string size_of(const Config& config) const override;
    Files write_numbers(const PreparedRun& run, const RunDirectory& directory) const override;
    Files draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
               const std::function<void()>& check) const override;
    [[nodiscard]] std::optional<ReportRun> report(const PreparedRun& run) const override;
};

}  // namespace lossmap
