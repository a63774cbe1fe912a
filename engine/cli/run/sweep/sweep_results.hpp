#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/config/sweep.hpp"
#include "cli/run/model_results.hpp"
#include "cli/run/run_log.hpp"
#include "cli/run/sweep/origin_run.hpp"
#include "cli/run/table.hpp"
#include "landscape/repeated_surface.hpp"
#include "output/plot.hpp"
#include "output/report.hpp"

namespace lossmap {

/// What one combination of a sweep has found, just now or some time ago.
struct CombinationResult {
    std::size_t combination = 0;
    ReportRun page;                          ///< of its run; the title does not matter
    std::vector<OriginResult> origin;        ///< landscapes
    std::optional<ModelResults> models;      ///< evaluate, weight_norm
    std::optional<RepeatedSurface> repeats;  ///< repeat, of lines
};

/// How the pictures over a sweep are drawn.
struct SweepDrawing {
    std::vector<PlotKind> kinds;  ///< empty: those that fit
    PlotOptions options;          ///< format, levels, scale
    std::filesystem::path folder;
    std::string prefix;           ///< of the files' names
    std::function<void()> check;  ///< called before each picture
};

/// Tables, pictures and page over all combinations of a sweep. Borrows the sweep.
class SweepResults {
public:
    explicit SweepResults(const Sweep& sweep) : sweep_(sweep) {}

    /// In the order of the combinations; those without results are left out.
    void add(CombinationResult result);
    [[nodiscard]] bool empty() const { return results_.empty(); }

    /// Loss and error of each origin or evaluated model, or the norms of each checkpoint, beside the labels; nothing
    /// when there are none. For scripts (folders, every digit) and for people.
    [[nodiscard]] std::optional<Table> exact_table() const;
    [[nodiscard]] std::optional<Table> brief_table() const;

    /// Curves of all combinations over each other, a colour each: training curves, norms, and of repeated lines the
    /// mean with its band. None of more than kCurveColours.
    [[nodiscard]] std::vector<CurvesFigure> figures() const { return figures_of_all(overlaid()); }

    /// Lines and planes as small multiples on one scale, named as the pictures of a run are, and figures(). With two
    /// axes or more the values of the last one make the columns. A picture that the data do not allow is skipped with a
    /// warning, and so are curves that there are not enough colours for. Returns the files. Throws Error when gnuplot
    /// is missing or fails.
    [[nodiscard]] std::vector<std::filesystem::path> draw(const SweepDrawing& drawing, RunLog& log) const;

    /// A page of all combinations, titled by their labels, the table over all first.
    [[nodiscard]] std::vector<ReportRun> pages() const;

private:
    [[nodiscard]] std::optional<Table> table(bool exact) const;

    /// What figures() lays over each other, however many there are.
    struct Overlaid {
        std::optional<ModelResults> models;
        std::vector<std::pair<std::string, const RepeatedSurface*>> repeats;
        [[nodiscard]] std::size_t curves() const {
            return std::max(models ? models->series.size() : 0, repeats.size());
        }
    };
    [[nodiscard]] Overlaid overlaid() const;
    [[nodiscard]] std::vector<CurvesFigure> figures_of_all(const Overlaid& all) const;

    const Sweep& sweep_;
    std::vector<CombinationResult> results_;
};

}  // namespace lossmap
