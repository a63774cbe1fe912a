#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/run/prepared_run.hpp"
#include "cli/run/run_directory.hpp"
#include "cli/run/run_log.hpp"
#include "output/report.hpp"

namespace lossmap {

/// What one experiment does in its own way; all the rest (journal, progress, identity, record) is the same for all of
/// them. Without state: everything is in the run.
class ExperimentSteps {
public:
    using Files = std::vector<std::filesystem::path>;

    ExperimentSteps() = default;
    ExperimentSteps(const ExperimentSteps&) = delete;
    ExperimentSteps& operator=(const ExperimentSteps&) = delete;
    virtual ~ExperimentSteps() = default;

    /// Loads and checks models and data; fills in data, executable, points, surface, and those parts of the identity
    /// that tell the networks. Throws InputError / UnsupportedError.
    virtual void prepare(PreparedRun& run, int threads, RunLog& log) const = 0;

    /// The grid in words, for people: "51 x 51 points".
    [[nodiscard]] virtual std::string size_of(const Config& config) const = 0;

    /// Writes what is known before the first point. Returns the files.
    virtual Files write_first(const PreparedRun& run, const RunDirectory& directory) const;

    /// Writes the numbers as far as they are known. Returns the files.
    virtual Files write_numbers(const PreparedRun& run, const RunDirectory& directory) const = 0;

    /// Draws the pictures into plots/; `check` is called before each one. Returns the files.
    virtual Files draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
                       const std::function<void()>& check) const;

    /// The one picture a split that shows a refined grid early on. Returns the files.
    virtual Files preview(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
                          const std::function<void()>& check) const;

    /// What the page shows; nothing where there is no page.
    [[nodiscard]] virtual std::optional<ReportRun> report(const PreparedRun& run) const;
};

/// The steps of an experiment; they live as long as the program.
[[nodiscard]] const ExperimentSteps& steps_of(Experiment experiment);

}  // namespace lossmap
