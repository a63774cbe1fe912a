#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/curves.hpp"

namespace lossmap {

/// A table of texts; a cell that looks like a number stands at the right.
struct ReportTable {
    std::string title;
    std::vector<std::string> heads;
    std::vector<std::vector<std::string>> rows;  ///< each as long as `heads`
};

/// One run on the page: a surface, or curves, or tables, or several of these.
struct ReportRun {
    std::string title;
    Surface surface;                                      ///< no x: the run has none
    std::string resolved_config;                          ///< JSON text of config.resolved.json; "" when absent
    std::optional<TrajectoryPlane> plane = std::nullopt;  ///< paths, drawn over the surface
    std::vector<CurvesFigure> curves = {};
    std::vector<ReportTable> tables = {};
};

/// Writes one self-contained HTML page (interactive 3D surface, contour, lines, tables, provenance) that works offline
/// from file://, at most 6 MB large. All names are escaped; a content security policy forbids everything from outside.
/// Throws Error.
void write_report(const std::filesystem::path& file, const std::vector<ReportRun>& runs);

}  // namespace lossmap
