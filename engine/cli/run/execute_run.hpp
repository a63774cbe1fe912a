#pragma once

#include <filesystem>
#include <vector>

#include "cli/run/interrupt.hpp"
#include "cli/run/prepared_run.hpp"
#include "cli/run/progress_display.hpp"
#include "cli/run/run_directory.hpp"
#include "cli/run/run_log.hpp"
#include "cli/run/run_ranks.hpp"

namespace lossmap {

/// Computes a prepared run in its folder, or goes on with it, and writes everything that interface.md lists. Returns
/// the files. On Interrupted the journal and the surface so far are written.
/// @param ranks  that compute it together, each calling this; rank 0 alone has the folder. nullptr: this process alone.
std::vector<std::filesystem::path> execute_run(PreparedRun& run, const RunDirectory& directory, bool fresh,
                                               ProgressDisplay& progress, const InterruptGuard& interrupt, RunLog& log,
                                               RunRanks* ranks = nullptr);

}  // namespace lossmap
