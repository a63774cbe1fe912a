#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/run/run_directory.hpp"
#include "cli/run/run_log.hpp"
#include "cli/run/table.hpp"
#include "landscape/surface.hpp"
#include "output/curves.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// Writes table.csv of `exact` and table.md and table.tex of `brief`. Returns the files.
std::vector<std::filesystem::path> write_tables(const RunDirectory& directory, const Table& exact, const Table& brief);

/// Draws figures into `folder`, each as `prefix` + its name; `check` is called before each one. Returns the files.
/// Throws Error when gnuplot is missing or fails.
std::vector<std::filesystem::path> draw_figures(const std::vector<CurvesFigure>& figures, PlotFormat format,
                                                const std::filesystem::path& folder, const std::string& prefix,
                                                const std::function<void()>& check);

/// Draws `kinds` of a surface into `folder`, a file a split and kind; the file's name is `prefix` + picture_name().
/// A picture that the data do not allow is skipped with a warning. `check` is called before each one. Returns the
/// files. Throws Error when gnuplot is missing or fails.
[[nodiscard]] std::vector<std::filesystem::path> draw_pictures(
    const Surface& surface, const std::vector<PlotKind>& kinds, const PlotOptions& options,
    const std::filesystem::path& folder, const std::string& prefix, RunLog& log, const std::function<void()>& check);

}  // namespace lossmap
