#pragma once

#include <cstddef>
#include <vector>

namespace lossmap {

/// Values over a plane: z has y.size() rows of x.size() values, (ix, iy) at iy * nx + ix. NaN is a gap.
struct ScalarGrid {
    std::vector<double> x;  ///< strictly increasing
    std::vector<double> y;  ///< strictly increasing
    std::vector<double> z;

    [[nodiscard]] double at(std::size_t ix, std::size_t iy) const { return z[iy * x.size() + ix]; }
};

/// Bilinear interpolation onto an even grid of columns x rows over the same rectangle (both axes need two points). A
/// value that depends on a gap is a gap.
[[nodiscard]] ScalarGrid resample_linear(const ScalarGrid& grid, std::size_t columns, std::size_t rows);

/// Value of the nearest sample, onto an even grid of columns x rows pixels whose centres cover the rectangle [left,
/// right] x [bottom, top] of cells around the samples. An axis with one point works.
[[nodiscard]] ScalarGrid resample_nearest(const ScalarGrid& grid, std::size_t columns, std::size_t rows);

/// Outer borders of the cells around the samples of an axis: half a step beyond the ends; 0.5 for a single point.
struct AxisExtent {
    double low = 0.0;
    double high = 0.0;
};
[[nodiscard]] AxisExtent cell_extent(const std::vector<double>& axis);

}  // namespace lossmap
