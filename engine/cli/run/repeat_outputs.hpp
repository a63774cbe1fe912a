#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/run/run_log.hpp"
#include "cli/run/table.hpp"
#include "landscape/repeated_surface.hpp"
#include "output/curves.hpp"
#include "output/plot.hpp"
#include "output/report.hpp"

namespace lossmap {

/// Spread at each point, a row a point: "x,y,train_loss_mean,train_loss_std,train_loss_min,train_loss_max,
/// train_loss_count,train_error_mean,..", and of splits drawn at random `<split>_loss_interval_95`. No `y` for lines,
/// no `_error` where targets are no classes; empty cells where no repetition (std: fewer than two) has a finite number.
[[nodiscard]] Table spread_table(const RepeatedSurface& surface);

/// A row a split and quantity: the standard deviation over the repetitions, mean and largest over the points, and the
/// largest range.
[[nodiscard]] Table spread_summary(const RepeatedSurface& surface);

/// The lines of one split over each other with their mean and the band of one standard deviation around it: loss at the
/// left and error at the right.
[[nodiscard]] CurvesFigure repeated_lines(const RepeatedSurface& surface, std::size_t split, const std::string& title);

/// Lines of several runs over each other, a colour each: the mean and the band of one standard deviation around it. For
/// each split that all have a figure of the loss and, where targets are classes, of the error.
[[nodiscard]] std::vector<CurvesFigure> overlaid_means(
    const std::vector<std::pair<std::string, const RepeatedSurface*>>& runs, const std::string& title);

/// The page of a run: of lines repeated_lines(), of planes mean, standard deviation and range; the table of the spread.
[[nodiscard]] ReportRun repeat_report(const RepeatedSurface& surface, const std::string& title,
                                      const std::string& resolved_config);

/// The pictures that a run makes by itself: lines get `line`, planes `contour`.
[[nodiscard]] std::vector<PlotKind> repeat_kinds(const RepeatedSurface& surface);

/// Draws all repetitions of a split into one picture: kind `line` over each other with mean and band; `contour`,
/// `filled` and `heatmap` as small multiples on one scale. `options`: kind, format, levels, scale, title. Throws
/// InputError when the kind does not fit.
void draw_repeat(const RepeatedSurface& surface, std::size_t split, const PlotOptions& options,
                 const std::filesystem::path& file);

/// Draws of each split all `kinds` as <split>_repeats_<kind>, and of planes the spread of the loss at each point,
/// <split>_spread. Returns the files; `check` is called before each picture. A picture that the data do not allow is
/// skipped with a warning.
[[nodiscard]] std::vector<std::filesystem::path> draw_repeats(
    const RepeatedSurface& surface, const std::vector<PlotKind>& kinds, const PlotOptions& options,
    const std::filesystem::path& folder, const std::string& prefix, RunLog& log, const std::function<void()>& check);

}  // namespace lossmap
