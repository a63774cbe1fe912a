#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/config/sweep.hpp"
#include "cli/run/run_log.hpp"
#include "output/report.hpp"

namespace lossmap {

/// Draws the lines and the planes of a sweep's runs as small multiples on one scale into `folder`, named as the
/// pictures of a run are. `pages`: what each run has to show, titled. With two axes or more the values of the last one
/// make the columns. `check` is called before each picture. Returns the files; a picture that cannot be drawn is
/// skipped with a warning. Throws Error when gnuplot is missing or fails.
std::vector<std::filesystem::path> draw_sweep(const Sweep& sweep, const std::vector<ReportRun>& pages,
                                              const std::filesystem::path& folder, RunLog& log,
                                              const std::function<void()>& check);

}  // namespace lossmap
