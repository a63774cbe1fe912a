#pragma once

#include "cli/run/experiments/experiment_steps.hpp"

namespace lossmap {

/// Loss and error of each of several models.
class EvaluateSteps final : public ExperimentSteps {
public:
    void prepare(PreparedRun& run, int threads, RunLog& log) const override;
    [[nodiscard]] std::string size_of(const Config& config) const override;
    Files write_numbers(const PreparedRun& run, const RunDirectory& directory) const override;
    Files draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
               const std::function<void()>& check) const override;
    [[nodiscard]] std::optional<ReportRun> report(const PreparedRun& run) const override;
};

}  // namespace lossmap
