#pragma once

#include <filesystem>
#include <vector>

#include "cli/run/sweep/sweep_results.hpp"

namespace lossmap {

/// Draws the lines and the planes of a sweep's runs as small multiples on one scale. `pages`: what each run has to
/// show, titled. See SweepResults::draw.
std::vector<std::filesystem::path> draw_multiples_of(const Sweep& sweep, const std::vector<const ReportRun*>& pages,
                                                     const SweepDrawing& drawing, RunLog& log);

}  // namespace lossmap
