#include "landscape/refinement.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kStencil = 4;
// So many nodes around a surprise are computed: it shows that the nodes around are too far apart to be judged by.
constexpr std::size_t kReach = 2;
constexpr double kFloorShare = 0.01;

using Nodes = std::vector<std::size_t>;

/// Nodes of an axis, a level each.
std::vector<Nodes> axis_levels(std::size_t points, std::size_t initial) {
    const std::size_t count = std::min(points, initial);
    Nodes nodes(count, 0);
    for (std::size_t k = 0; k < count && count > 1; ++k)
        nodes[k] = (2 * k * (points - 1) + count - 1) / (2 * (count - 1));  // the nearest one, halves upwards
    std::vector<Nodes> levels{nodes};
    while (nodes.size() < points) {
        Nodes finer;
        for (std::size_t k = 0; k < nodes.size(); ++k) {
            finer.push_back(nodes[k]);
            if (k + 1 < nodes.size() && nodes[k + 1] - nodes[k] > 1) finer.push_back((nodes[k] + nodes[k + 1]) / 2);
        }
        nodes = std::move(finer);
        levels.push_back(nodes);
    }
    return levels;
}

/// Nodes of `finer` that `coarser` does not have.
Nodes added(const Nodes& finer, const Nodes& coarser) {
    Nodes result;
    std::set_difference(finer.begin(), finer.end(), coarser.begin(), coarser.end(), std::back_inserter(result));
    return result;
}

struct Guess {
    double value = kNan;
    double error = kInfinity;
};

/// Interpolation along one line of a filled grid, from nodes at `first`, `first + stride`, ..
class LineInterpolation {
public:
    LineInterpolation(const FilledGrid& grid, const Nodes& nodes, std::size_t first, std::size_t stride)
        : grid_(grid), nodes_(nodes), first_(first), stride_(stride) {}

    [[nodiscard]] Guess at(std::size_t place) const {
        const auto cell =
            static_cast<std::size_t>(std::upper_bound(nodes_.begin(), nodes_.end(), place) - nodes_.begin() - 1);
        const std::size_t size = std::min(kStencil, nodes_.size());
        const std::size_t start = std::min(cell > 0 ? cell - 1 : 0, nodes_.size() - size);
        const auto p = static_cast<double>(place);
        Guess guess{newton(start, size, p), kInfinity};
        // Fewer nodes tell nothing about how far off they are.
        if (size < kStencil || !std::isfinite(guess.value)) return guess;
        const double a = p - node(start);
        const double b = p - node(start + 1);
        const double c = p - node(start + 2);
        const double d = p - node(start + 3);
        guess.error = bend_around(start) * std::max(std::abs(a * b * c), std::abs(b * c * d)) + inherited(start, p);
        return guess;
    }

private:
    [[nodiscard]] double node(std::size_t k) const { return static_cast<double>(nodes_[k]); }
    [[nodiscard]] std::size_t point(std::size_t k) const { return first_ + nodes_[k] * stride_; }

    /// Divided differences of `size` nodes from `start` on.
    [[nodiscard]] std::array<double, kStencil> differences(std::size_t start, std::size_t size) const {
        std::array<double, kStencil> result{};
        for (std::size_t k = 0; k < size; ++k)
            result[k] = grid_.value[point(start + k)];
        for (std::size_t order = 1; order < size; ++order) {
            for (std::size_t k = size - 1; k >= order; --k)
                result[k] = (result[k] - result[k - 1]) / (node(start + k) - node(start + k - order));
        }
        return result;
    }

    [[nodiscard]] double newton(std::size_t start, std::size_t size, double place) const {
        const std::array<double, kStencil> factors = differences(start, size);
        double value = factors[size - 1];
        for (std::size_t k = size - 1; k-- > 0;)
            value = factors[k] + (place - node(start + k)) * value;
        return value;
    }

    /// Largest third divided difference of the stencil and its neighbours: a cell whose middle is a mirror axis, such
    /// as a minimum's, has none of its own.
    [[nodiscard]] double bend_around(std::size_t start) const {
        double bend = 0.0;
        for (std::size_t s = start > 0 ? start - 1 : 0; s <= start + 1 && s + kStencil <= nodes_.size(); ++s) {
            const double third = std::abs(differences(s, kStencil)[kStencil - 1]);
            if (!std::isfinite(third)) return kInfinity;
            bend = std::max(bend, third);
        }
        return bend;
    }

    /// What the nodes' errors can add up to.
    [[nodiscard]] double inherited(std::size_t start, double place) const {
        double sum = 0.0;
        for (std::size_t k = 0; k < kStencil; ++k) {
            const double error = grid_.error[point(start + k)];
            if (error == 0.0) continue;
            double weight = 1.0;
            for (std::size_t other = 0; other < kStencil; ++other) {
                if (other != k) weight *= (place - node(start + other)) / (node(start + k) - node(start + other));
            }
            sum += std::abs(weight) * error;
        }
        return sum;
    }

    const FilledGrid& grid_;
    const Nodes& nodes_;
    std::size_t first_;
    std::size_t stride_;
};

Guess both(const Guess& a, const Guess& b) {
    return {0.5 * (a.value + b.value), std::max({a.error, b.error, std::abs(a.value - b.value)})};
}

void put(FilledGrid& grid, std::span<const std::uint8_t> known, std::size_t point, const Guess& guess) {
    grid.predicted[point] = guess.value;
    if (known[point] != 0) return;
    const bool usable = std::isfinite(guess.value) && std::isfinite(guess.error);
    grid.value[point] = guess.value;
    grid.error[point] = usable ? guess.error : kInfinity;
}

double median_magnitude(std::span<const double> values, const std::vector<std::size_t>& points) {
    std::vector<double> magnitudes;
    for (const std::size_t point : points) {
        if (std::isfinite(values[point])) magnitudes.push_back(std::abs(values[point]));
    }
    if (magnitudes.empty()) return 0.0;
    const auto middle = magnitudes.begin() + static_cast<std::ptrdiff_t>((magnitudes.size() - 1) / 2);
    std::nth_element(magnitudes.begin(), middle, magnitudes.end());
    return *middle;
}

}  // namespace

GridLevels::GridLevels(std::size_t nx, std::size_t ny, std::int64_t initial) : nx_(nx), ny_(ny) {
    if (nx < 1 || ny < 1 || initial < 2) throw InternalError("levels of {} x {} points from {} on", nx, ny, initial);
    x_ = axis_levels(nx, static_cast<std::size_t>(initial));
    y_ = axis_levels(ny, static_cast<std::size_t>(initial));
    const std::size_t count = std::max(x_.size(), y_.size());
    x_.resize(count, Nodes(x_.back()));
    y_.resize(count, Nodes(y_.back()));
}

std::vector<std::size_t> GridLevels::points(std::size_t level) const {
    std::vector<std::size_t> result;
    for (const std::size_t iy : y(level)) {
        for (const std::size_t ix : x(level))
            result.push_back(point(ix, iy));
    }
    return result;
}

FilledGrid GridLevels::fill(std::span<const double> values, std::span<const std::uint8_t> known,
                            std::size_t level) const {
    const std::size_t count = point_count();
    FilledGrid grid{std::vector<double>(count, kNan), std::vector<double>(count, kInfinity),
                    std::vector<double>(count, kNan)};
    for (std::size_t k = 0; k < count; ++k) {
        if (known[k] == 0) continue;
        grid.value[k] = values[k];
        grid.error[k] = 0.0;
    }
    for (std::size_t l = 1; l <= level; ++l) {
        const Nodes& old_x = x(l - 1);
        const Nodes& old_y = y(l - 1);
        const Nodes new_x = added(x(l), old_x);
        const Nodes new_y = added(y(l), old_y);
        const auto along_x = [&](std::size_t ix, std::size_t iy) {
            return LineInterpolation(grid, old_x, point(0, iy), 1).at(ix);
        };
        const auto along_y = [&](std::size_t ix, std::size_t iy) {
            return LineInterpolation(grid, old_y, point(ix, 0), nx_).at(iy);
        };
        for (const std::size_t iy : old_y) {
            for (const std::size_t ix : new_x)
                put(grid, known, point(ix, iy), along_x(ix, iy));
        }
        for (const std::size_t iy : new_y) {
            for (const std::size_t ix : old_x)
                put(grid, known, point(ix, iy), along_y(ix, iy));
        }
        for (const std::size_t iy : new_y) {
            for (const std::size_t ix : new_x)
                put(grid, known, point(ix, iy), both(along_x(ix, iy), along_y(ix, iy)));
        }
    }
    return grid;
}

Refinement::Refinement(std::size_t nx, std::size_t ny, const RefineSpec& spec)
    : levels_(nx, ny, spec.initial), tolerance_(spec.tolerance), known_(nx * ny, 0) {}

std::vector<std::size_t> Refinement::next(const std::vector<std::span<const double>>& losses) {
    std::vector<std::size_t> points;
    if (!started_) {
        started_ = true;
        points = levels_.points(0);
    } else {
        for (std::size_t split = floors_.size(); split < losses.size(); ++split)
            floors_.push_back(kFloorShare * median_magnitude(losses[split], levels_.points(0)));
        for (; level_ < levels_.count(); ++level_) {
            points = wanted(losses);
            if (!points.empty()) break;
        }
    }
    for (const std::size_t point : points)
        known_[point] = 1;
    return points;
}

std::vector<std::size_t> Refinement::wanted(const std::vector<std::span<const double>>& losses) const {
    std::vector<std::uint8_t> wanted(known_.size(), 0);
    for (std::size_t split = 0; tolerance_ > 0.0 && split < losses.size(); ++split)
        mark_wanted(losses[split], floors_[split], wanted);
    std::vector<std::size_t> points;
    for (const std::size_t point : levels_.points(level_)) {
        if (known_[point] == 0 && (wanted[point] != 0 || tolerance_ == 0.0)) points.push_back(point);
    }
    return points;
}

void Refinement::mark_wanted(std::span<const double> losses, double floor, std::vector<std::uint8_t>& wanted) const {
    const FilledGrid grid = levels_.fill(losses, known_, level_);
    const Nodes& x = levels_.x(level_);
    const Nodes& y = levels_.y(level_);
    std::vector<std::uint8_t> coarse(known_.size(), 0);
    for (const std::size_t point : levels_.points(0))
        coarse[point] = 1;
    const auto mark_around = [&](std::size_t column, std::size_t row) {
        for (std::size_t r = row - std::min(row, kReach); r <= row + kReach && r < y.size(); ++r) {
            for (std::size_t c = column - std::min(column, kReach); c <= column + kReach && c < x.size(); ++c)
                wanted[levels_.point(x[c], y[r])] = 1;
        }
    };
    for (std::size_t row = 0; row < y.size(); ++row) {
        for (std::size_t column = 0; column < x.size(); ++column) {
            const std::size_t point = levels_.point(x[column], y[row]);
            const double allowed = tolerance_ * std::max(std::abs(grid.value[point]), floor);
            // Negated, so that what is not finite is never left to interpolation.
            if (known_[point] == 0) {
                if (!(grid.error[point] <= allowed)) wanted[point] = 1;
            } else if (coarse[point] == 0 && !(std::abs(grid.value[point] - grid.predicted[point]) <= allowed)) {
                mark_around(column, row);
            }
        }
    }
}

void interpolate_missing(Surface& surface, std::int64_t initial) {
    const GridLevels levels(surface.x.size(), std::max<std::size_t>(1, surface.y.size()), initial);
    const std::vector<std::size_t> coarse = levels.points(0);
    for (SplitSurface& split : surface.splits) {
        split.interpolated_loss.clear();
        split.interpolated_accuracy.clear();
        split.error_estimate.clear();
        const auto is_done = [&](std::size_t point) { return split.done[point] != 0; };
        if (!std::all_of(coarse.begin(), coarse.end(), is_done)) continue;
        if (std::all_of(split.done.begin(), split.done.end(), [](std::uint8_t done) { return done != 0; })) continue;
        FilledGrid loss = levels.fill(split.loss, split.done, levels.count() - 1);
        split.interpolated_loss = std::move(loss.value);
        split.error_estimate = std::move(loss.error);
        if (!split.has_accuracy) continue;
        split.interpolated_accuracy = levels.fill(split.accuracy, split.done, levels.count() - 1).value;
        for (std::size_t point = 0; point < split.done.size(); ++point) {
            if (!is_done(point))  // a cubic may swing beyond what a share can be; NaN stays
                split.interpolated_accuracy[point] = std::clamp(split.interpolated_accuracy[point], 0.0, 100.0);
        }
    }
}

}  // namespace lossmap
