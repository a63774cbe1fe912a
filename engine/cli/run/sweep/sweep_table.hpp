#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/config/sweep.hpp"
#include "cli/run/sweep/origin_run.hpp"
#include "cli/run/table.hpp"

namespace lossmap {

/// A line of the table over a sweep.
struct SweepRow {
    std::size_t combination = 0;
    std::string model;  ///< evaluate: which of the run's models; else ""
    std::vector<OriginResult> results;
};

/// Labels of each combination and its loss and error: "folder,model,normalization,train_loss,train_error,..", with
/// every digit. A split that a row has no result of leaves empty cells.
[[nodiscard]] Table exact_sweep_table(const Sweep& sweep, const std::vector<SweepRow>& rows);

/// The same for papers: without folders, loss (four digits) and error (percent).
[[nodiscard]] Table brief_sweep_table(const Sweep& sweep, const std::vector<SweepRow>& rows);

}  // namespace lossmap
