#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "landscape/surface.hpp"

namespace lossmap {

struct RefineSpec {
    std::int64_t initial = 13;  ///< points of the coarse grid along each axis, at least 2
    /// Largest estimated error of a point that is left to interpolation, relative to the loss there (but to no less
    /// than a hundredth of the coarse grid's median). 0: every point is computed.
    double tolerance = 0.01;
};

/// Values at the points of a grid, iy * nx + ix, as far as a level goes.
struct FilledGrid {
    std::vector<double> value;      ///< known or interpolated; NaN where there is neither
    std::vector<double> error;      ///< 0 where known, an estimate where interpolated, else infinity
    std::vector<double> predicted;  ///< what interpolation says, also where the value is known; NaN on the coarse grid
};

/// The points of a grid from coarse to fine: level 0 has `initial` nodes along each axis, each next level the node in
/// the middle of every gap as well, the last one is the whole grid. All nodes are nodes of the grid itself.
class GridLevels {
public:
    /// A line has ny = 1.
    GridLevels(std::size_t nx, std::size_t ny, std::int64_t initial);

    [[nodiscard]] std::size_t count() const { return x_.size(); }
    [[nodiscard]] std::size_t point_count() const { return nx_ * ny_; }
    [[nodiscard]] const std::vector<std::size_t>& x(std::size_t level) const { return x_.at(level); }
    [[nodiscard]] const std::vector<std::size_t>& y(std::size_t level) const { return y_.at(level); }
    /// Points of a level, ascending.
    [[nodiscard]] std::vector<std::size_t> points(std::size_t level) const;
    [[nodiscard]] std::size_t point(std::size_t ix, std::size_t iy) const { return iy * nx_ + ix; }

    /// Fills in what is not known up to a level, each level from the one before it, with cubics through four nodes of a
    /// line. The estimate is the difference to quadratics, for the steepest third difference around, and what the
    /// nodes' own errors add. Where a node is not finite, nothing is interpolated. Needs the coarse grid to be known.
    [[nodiscard]] FilledGrid fill(std::span<const double> values, std::span<const std::uint8_t> known,
                                  std::size_t level) const;

private:
    std::size_t nx_;
    std::size_t ny_;
    std::vector<std::vector<std::size_t>> x_;  ///< a level: nodes, ascending
    std::vector<std::vector<std::size_t>> y_;
};

/// Decides which points of a grid are computed: the coarse grid first, then, level by level, those whose interpolation
/// may be off by more than the tolerance, and what surrounds points that came out otherwise than predicted. A function
/// of the values alone: the same values give the same points in the same order.
class Refinement {
public:
    Refinement(std::size_t nx, std::size_t ny, const RefineSpec& spec);

    /// The points to compute next, ascending; empty at the end. Then every point that was not named has an estimated
    /// error within the tolerance.
    /// @param losses  a split each, of the whole grid; all points named before are computed, others are not looked at
    [[nodiscard]] std::vector<std::size_t> next(const std::vector<std::span<const double>>& losses);

private:
    [[nodiscard]] std::vector<std::size_t> wanted(const std::vector<std::span<const double>>& losses) const;
    void mark_wanted(std::span<const double> losses, double floor, std::vector<std::uint8_t>& wanted) const;

    GridLevels levels_;
    double tolerance_;
    bool started_ = false;
    std::size_t level_ = 1;
    std::vector<std::uint8_t> known_;
    std::vector<double> floors_;  ///< a split: least loss that the tolerance relates to
};

/// Fills in loss and accuracy of the points that are not done, with their error estimates. Leaves them empty when every
/// point is done, and where the coarse grid is not.
void interpolate_missing(Surface& surface, std::int64_t initial);

}  // namespace lossmap
