#pragma once

#include <optional>
#include <string>
#include <utility>
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

/// The rows of several tables below each other, each behind the labels of its combination, in one column of each name
/// ("checkpoint" for "model", which an axis may be called); cells that a table lacks are empty. `exact`: with folders.
[[nodiscard]] Table joined_sweep_table(const Sweep& sweep, const std::vector<std::pair<std::size_t, Table>>& tables,
                                       bool exact);

}  // namespace lossmap
