#pragma once

#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/contour_lines.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

/// What paths add to a picture of the plane under them; empty without one.
struct PathOverlay {
    AxisLabels labels;
    std::vector<PlanePoint> obstacles;  ///< points on the paths, dense enough that no label is put over it
    std::string blocks;                 ///< data of the script
    std::vector<std::string> elements;  ///< of the plot command, drawn last
    std::vector<std::string> notes;     ///< how much the plane tells of the paths, for the caption
};

/// A line through the checkpoints of each run with a point each; points where the learning rate dropped are red. Throws
/// InputError when a run has no checkpoint or its coordinates do not fit each other.
[[nodiscard]] PathOverlay path_overlay(const TrajectoryPlane& plane, const Surface& surface, const std::string& split);

/// Its legend: above the plot area while its columns, all as wide as the longest entry, fit one row there; else in the
/// upper right corner of the plot area, one below the other.
[[nodiscard]] std::string path_legend(const TrajectoryPlane& plane, const Canvas& canvas);

}  // namespace lossmap
