#include "output/plane_values.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"

namespace lossmap {

namespace {

void check_axis(const std::vector<double>& axis, const char* name) {
    const bool finite = std::all_of(axis.begin(), axis.end(), [](double value) { return std::isfinite(value); });
    const bool increases = std::adjacent_find(axis.begin(), axis.end(), std::greater_equal<>()) == axis.end();
    if (axis.empty() || !finite || !increases) {
        throw InputError("coordinates of {} are no increasing list of finite numbers", name);
    }
}

}  // namespace

GapCounts& GapCounts::operator+=(const GapCounts& other) {
    points += other.points;
    interpolated += other.interpolated;
    not_computed += other.not_computed;
    not_finite += other.not_finite;
    not_positive += other.not_positive;
    return *this;
}

std::string GapCounts::text() const {
    std::string result;
    const auto add = [&](std::int64_t count, const char* reason) {
        if (count == 0) return;
        result += result.empty() ? fmt::format("{} of {} points {}", count, points, reason)
                                 : fmt::format(", {} {}", count, reason);
    };
    add(not_finite, "not finite");
    add(not_positive, "not positive");
    add(not_computed, "not computed");
    return result;
}

std::string GapCounts::interpolation_text() const {
    if (interpolated == 0) return {};
    return fmt::format("{} of {} points computed, the others interpolated", points - interpolated - not_computed,
                       points);
}

double drawn_loss(const SplitSurface& split, std::size_t point, bool log, GapCounts& gaps) {
    constexpr double kGapValue = std::numeric_limits<double>::quiet_NaN();
    ++gaps.points;
    const double loss = split.shown_loss(point);
    const bool computed = split.done[point] != 0;
    if (!computed && !std::isfinite(loss)) {
        ++gaps.not_computed;
    } else if (!std::isfinite(loss)) {
        ++gaps.not_finite;
    } else if (log && loss <= 0.0) {
        ++gaps.not_positive;
    } else {
        gaps.interpolated += computed ? 0 : 1;
        return loss;
    }
    return kGapValue;
}

PlaneValues plane_values(const Surface& surface, const SplitSurface& split, bool log) {
    check_axis(surface.x, "x");
    check_axis(surface.y, "y");
    const std::size_t count = surface.point_count();
    if (split.loss.size() != count || split.done.size() != count) {
        throw InputError("split '{}' has {} values; expected {} x {}", split.name, split.loss.size(), surface.x.size(),
                         surface.y.size());
    }
    PlaneValues values{{surface.x, surface.y, std::vector<double>(count)}, {}, 0.0, 0.0};
    values.low = values.high = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t k = 0; k < count; ++k) {
        const double loss = drawn_loss(split, k, log, values.gaps);
        values.low = std::fmin(values.low, loss);
        values.high = std::fmax(values.high, loss);
        values.grid.z[k] = log ? std::log10(loss) : loss;
    }
    return values;
}

}  // namespace lossmap
