#pragma once

#include "cli/run/experiments/landscape_steps.hpp"

namespace lossmap {

/// A line or plane over several random directions, a seed each. One set of directions is held at a time.
class RepeatSteps final : public LandscapeSteps {
public:
    void prepare(PreparedRun& run, int threads, RunLog& log) const override;
    [[nodiscard]] std::string size_of(const Config& config) const override;
    Files write_first(const PreparedRun& run, const RunDirectory& directory) const override;
    Files write_numbers(const PreparedRun& run, const RunDirectory& directory) const override;
    Files draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
               const std::function<void()>& check) const override;
    [[nodiscard]] std::optional<ReportRun> report(const PreparedRun& run) const override;
};

}  // namespace lossmap
