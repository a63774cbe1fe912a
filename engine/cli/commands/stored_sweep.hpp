#pragma once

#include <filesystem>
#include <memory>

#include "cli/config/sweep.hpp"
#include "cli/run/run_log.hpp"
#include "cli/run/sweep/sweep_results.hpp"

namespace lossmap {

/// A sweep that was computed before: its folder read back. Its combinations have no configuration.
struct StoredSweep {
    std::unique_ptr<const Sweep> sweep;  ///< stays where it is: the results borrow it
    SweepResults results;
};

/// Whether it is the folder of a sweep.
[[nodiscard]] bool is_sweep(const std::filesystem::path& path);

/// What its sweep.json lists: combinations without a configuration. Throws InputError naming the file.
[[nodiscard]] Sweep read_sweep_list(const std::filesystem::path& folder);

/// Combinations that are not computed yet are left out with a warning. Throws InputError naming the file that does not
/// fit, or when no combination has results.
[[nodiscard]] StoredSweep read_sweep(const std::filesystem::path& folder, RunLog& log);

}  // namespace lossmap
