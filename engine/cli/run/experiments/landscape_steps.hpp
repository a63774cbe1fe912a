#pragma once

#include "cli/run/experiments/experiment_steps.hpp"
#include "cli/run/model_source.hpp"

namespace lossmap {

/// Loss over directions from an origin: surface and interpolation.
class LandscapeSteps : public ExperimentSteps {
public:
    void prepare(PreparedRun& run, int threads, RunLog& log) const override;
    [[nodiscard]] std::string size_of(const Config& config) const override;
    Files write_first(const PreparedRun& run, const RunDirectory& directory) const override;
    Files write_numbers(const PreparedRun& run, const RunDirectory& directory) const override;
    Files draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
               const std::function<void()>& check) const override;
    Files preview(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
                  const std::function<void()>& check) const override;
    [[nodiscard]] std::optional<ReportRun> report(const PreparedRun& run) const override;

protected:
    // prepare() in its parts, in order.
    static LoadedModel load_origin(PreparedRun& run, RunLog& log);
    /// Returns a label an axis.
    static std::vector<std::string> make_axes(PreparedRun& run, const LoadedModel& model, int threads, RunLog& log);
    static void note_axes(PreparedRun& run, RunLog& log);
    /// Executable, points and an empty surface.
    static void lay_grid(PreparedRun& run, const LoadedModel& model, int threads);
};

}  // namespace lossmap
