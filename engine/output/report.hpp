#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"

namespace lossmap {

/// One run on the page.
struct ReportRun {
    std::string title;
    Surface surface;
    std::string resolved_config;                        ///< JSON text of config.resolved.json; "" when absent
    std::optional<TrajectoryPath> path = std::nullopt;  ///< drawn over the contours of a plane
};

/// Writes one self-contained HTML page (interactive 3D surface, contour, lines, table, provenance) that works offline
/// from file://. All names are escaped; a content security policy forbids everything from outside. Throws Error.
void write_report(const std::filesystem::path& file, const std::vector<ReportRun>& runs);

}  // namespace lossmap
