#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/config/sweep.hpp"
#include "cli/run/interrupt.hpp"
#include "cli/run/progress_display.hpp"
#include "cli/run/run_ranks.hpp"

namespace lossmap {

/// In the sweep's folder, what is where; in a combination's, its origin's evaluation.
inline constexpr const char* kSweepFile = "sweep.json";
inline constexpr const char* kOriginFolder = "origin";

struct SweepOptions {
    std::filesystem::path out;
    int threads = 0;  ///< 0 is all
    bool fresh = false;
    std::string log_level = "info";  ///< of stderr
    RunRanks* ranks = nullptr;  ///< that compute each combination together, each calling this; nullptr: one process
};

/// Runs every combination in its own folder under `out`, or goes on with them, and puts over all of them: sweep.json
/// (what is where), table.csv, table.md, table.tex, plots/ and report.html. All combinations are prepared before
/// the first one is computed, so that a mistake in the last one shows at once; what fits into KeptPreparations is not
/// prepared again. Returns the folders and these files. Of a share (Config::shard) the folders and sweep.json alone:
/// what stands over all combinations comes with merging.
/// Throws InputError about a combination by its name; Interrupted; Error after all others are computed when a
/// combination fails.
std::vector<std::filesystem::path> execute_sweep(const Sweep& sweep, const SweepOptions& options,
                                                 ProgressDisplay& progress, const InterruptGuard& interrupt);

}  // namespace lossmap
