#pragma once

#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/contour_lines.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

/// What a path adds to a picture of the plane under it; empty without one.
struct PathOverlay {
    AxisLabels labels;
    std::vector<PlanePoint> obstacles;  ///< points on the path, dense enough that no label is put over it
    std::string blocks;                 ///< data of the script
    std::string settings;               ///< legend
    std::vector<std::string> elements;  ///< of the plot command, drawn last
    std::string note;                   ///< how much the plane tells of the path, for the caption
};

/// The line through the checkpoints with a point each; points where the learning rate dropped are red. Throws
/// InputError when there is no checkpoint or the coordinates do not fit each other.
[[nodiscard]] PathOverlay path_overlay(const TrajectoryPath& path, const Surface& surface, const std::string& split);

}  // namespace lossmap
