#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "cli/run/run_log.hpp"
#include "cli/run/sweep/sweep_results.hpp"

namespace lossmap {

/// Writes what stands over all combinations of a sweep into its folder: tables, plots/ and report.html. `check` is
/// called before each picture. Returns the files.
[[nodiscard]] std::vector<std::filesystem::path> write_sweep_files(const SweepResults& results,
                                                                   const std::filesystem::path& out, RunLog& log,
                                                                   const std::function<void()>& check);

}  // namespace lossmap
