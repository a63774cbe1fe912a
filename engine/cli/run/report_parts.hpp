#pragma once

#include <string>

#include "cli/run/prepared_run.hpp"
#include "cli/run/table.hpp"
#include "output/report.hpp"

namespace lossmap {

/// The page of a run whose results are a table and curves drawn from it.
[[nodiscard]] ReportRun table_report(const PreparedRun& run, const Table& table, std::vector<CurvesFigure> curves);

}  // namespace lossmap
