#include "output/scalar_grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lossmap {

namespace {

/// Place of a fine coordinate between two samples: value = (1 - weight) * [index] + weight * [index + 1].
struct Stencil {
    std::size_t index = 0;
    double weight = 0.0;
};

std::vector<double> even_axis(double low, double high, std::size_t count) {
    std::vector<double> axis(count);
    for (std::size_t i = 0; i < count; ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(count - 1);
        axis[i] = low + (high - low) * share;
    }
    axis.back() = high;
    return axis;
}

std::vector<Stencil> stencils(const std::vector<double>& coarse, const std::vector<double>& fine) {
    std::vector<Stencil> result(fine.size());
    std::size_t cell = 0;
    for (std::size_t i = 0; i < fine.size(); ++i) {
        while (cell + 2 < coarse.size() && fine[i] > coarse[cell + 1])
            ++cell;
        double weight = (fine[i] - coarse[cell]) / (coarse[cell + 1] - coarse[cell]);
        // A fine coordinate that falls on a sample must not see the neighbour through rounding: it could be a gap.
        constexpr double kRounding = 1e-9;
        if (weight < kRounding) weight = 0.0;
        if (weight > 1.0 - kRounding) weight = 1.0;
        result[i] = {cell, weight};
    }
    return result;
}

double interpolate(const ScalarGrid& grid, const Stencil& column, const Stencil& row) {
    double sum = 0.0;
    for (std::size_t j = 0; j < 2; ++j) {
        const double row_weight = j == 0 ? 1.0 - row.weight : row.weight;
        for (std::size_t i = 0; i < 2; ++i) {
            const double weight = row_weight * (i == 0 ? 1.0 - column.weight : column.weight);
            if (weight > 0.0) sum += weight * grid.at(column.index + i, row.index + j);
        }
    }
    return sum;
}

std::vector<std::size_t> nearest_indices(const std::vector<double>& coarse, const std::vector<double>& fine) {
    std::vector<std::size_t> result(fine.size());
    std::size_t nearest = 0;
    for (std::size_t i = 0; i < fine.size(); ++i) {
        while (nearest + 1 < coarse.size() &&
               std::abs(coarse[nearest + 1] - fine[i]) < std::abs(coarse[nearest] - fine[i])) {
            ++nearest;
        }
        result[i] = nearest;
    }
    return result;
}

std::vector<double> pixel_centres(const AxisExtent& extent, std::size_t count) {
    std::vector<double> centres(count);
    for (std::size_t i = 0; i < count; ++i) {
        centres[i] =
            extent.low + (extent.high - extent.low) * (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    }
    return centres;
}

}  // namespace

ScalarGrid resample_linear(const ScalarGrid& grid, std::size_t columns, std::size_t rows) {
    ScalarGrid fine{
        even_axis(grid.x.front(), grid.x.back(), columns), even_axis(grid.y.front(), grid.y.back(), rows), {}};
    const std::vector<Stencil> x_stencils = stencils(grid.x, fine.x);
    const std::vector<Stencil> y_stencils = stencils(grid.y, fine.y);
    fine.z.reserve(columns * rows);
    for (const Stencil& row : y_stencils) {
        for (const Stencil& column : x_stencils)
            fine.z.push_back(interpolate(grid, column, row));
    }
    return fine;
}

ScalarGrid resample_nearest(const ScalarGrid& grid, std::size_t columns, std::size_t rows) {
    ScalarGrid fine{pixel_centres(cell_extent(grid.x), columns), pixel_centres(cell_extent(grid.y), rows), {}};
    const std::vector<std::size_t> x_indices = nearest_indices(grid.x, fine.x);
    const std::vector<std::size_t> y_indices = nearest_indices(grid.y, fine.y);
    fine.z.reserve(columns * rows);
    for (const std::size_t iy : y_indices) {
        for (const std::size_t ix : x_indices)
            fine.z.push_back(grid.at(ix, iy));
    }
    return fine;
}

AxisExtent cell_extent(const std::vector<double>& axis) {
    const std::size_t n = axis.size();
    if (n == 1) return {axis[0] - 0.5, axis[0] + 0.5};
    return {axis[0] - 0.5 * (axis[1] - axis[0]), axis[n - 1] + 0.5 * (axis[n - 1] - axis[n - 2])};
}

}  // namespace lossmap
