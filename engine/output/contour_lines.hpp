#pragma once

#include <vector>

#include "output/scalar_grid.hpp"

namespace lossmap {

struct PlanePoint {
    double x = 0.0;
    double y = 0.0;
};
using Polyline = std::vector<PlanePoint>;  ///< closed where the first point equals the last one

/// Lines on which the grid, linear along the edges of its cells, equals `level` (marching squares; a saddle is decided
/// by the mean of its corners). Cells that touch a gap have no line.
[[nodiscard]] std::vector<Polyline> contour_lines(const ScalarGrid& grid, double level);

/// Leaves out points that are nearer than `tolerance` to the line without them (Douglas and Peucker 1973).
[[nodiscard]] Polyline simplify(const Polyline& line, double tolerance);

}  // namespace lossmap
