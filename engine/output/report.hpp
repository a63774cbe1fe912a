#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"

namespace lossmap {

/// One line of a figure of curves.
struct ReportSeries {
    std::string name;
    std::vector<double> x;
    std::vector<double> y;         ///< NaN is a gap
    std::vector<double> low = {};  ///< with `high` a band around the line; both empty: none
    std::vector<double> high = {};
    bool second_axis = false;  ///< on the axis at the right (error beside loss)
};

/// A figure of lines over a common axis: weight norms over epochs, repeated lines with their spread, training curves.
struct ReportCurves {
    std::string title;
    std::string x_label;
    std::string y_label;
    std::string y2_label = {};  ///< of the second axis
    bool log_y = false;         ///< always; else the page has a switch
    std::vector<ReportSeries> series;
};

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
    std::vector<ReportCurves> curves = {};
    std::vector<ReportTable> tables = {};
};

/// Writes one self-contained HTML page (interactive 3D surface, contour, lines, tables, provenance) that works offline
/// from file://, at most 6 MB large. All names are escaped; a content security policy forbids everything from outside.
/// Throws Error.
void write_report(const std::filesystem::path& file, const std::vector<ReportRun>& runs);

}  // namespace lossmap
