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
    std::string settings;               ///< legend
    std::vector<std::string> elements;  ///< of the plot command, drawn last
    std::vector<std::string> notes;     ///< how much the plane tells of the paths, for the caption
};

/// A line through the checkpoints of each run with a point each; points where the learning rate dropped are red. Throws
/// InputError when a run has no checkpoint or its coordinates do not fit each other.
[[nodiscard]] PathOverlay path_overlay(const TrajectoryPlane& plane, const Surface& surface, const std::string& split);

}  // namespace lossmap
