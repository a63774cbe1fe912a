#pragma once

#include "cli/run/interrupt.hpp"
#include "cli/run/prepared_run.hpp"
#include "cli/run/run_directory.hpp"
#include "cli/run/run_log.hpp"
#include "cli/run/run_ranks.hpp"

namespace lossmap {

/// Prepares a run on this rank. Rank 0 looks into the folder, and goes on with the plan that it holds; the others
/// follow `root_plan`. Throws InputError where there is no network, and so nothing for ranks to share.
[[nodiscard]] PreparedRun prepare_on_rank(Config config, const RunDirectory& directory, bool fresh, int threads,
                                          RunRanks& ranks, const InterruptGuard& interrupt, RunLog& log,
                                          const std::string& root_plan);

/// The same run on every rank, each calling this: on rank 0 it is `root`, which is nothing elsewhere; the others
/// prepare `config` and follow rank 0's plan. Throws InputError on all when one sees another run.
[[nodiscard]] PreparedRun prepare_others(std::optional<PreparedRun> root, const Config& config,
                                         const RunDirectory& directory, int threads, RunRanks& ranks,
                                         const InterruptGuard& interrupt, RunLog& log);

}  // namespace lossmap
