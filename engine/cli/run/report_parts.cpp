#include "cli/run/report_parts.hpp"

namespace lossmap {

ReportRun table_report(const PreparedRun& run, const Table& table, std::vector<CurvesFigure> curves) {
    ReportRun page{run.config.name, {}, run.resolved};
    page.curves = std::move(curves);
    page.tables.push_back({"Results", table.head, table.rows});
    return page;
}

}  // namespace lossmap
