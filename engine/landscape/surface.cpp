#include "landscape/surface.hpp"

#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr double kNotComputed = -1.0;

/// Standard error of a weighted mean: square root of the weighted sample variance over n.
double standard_error_of(const LossSums& sums, double mean) {
    if (sums.counted == 1) return 0.0;
    const auto n = static_cast<double>(sums.counted);
    const double variance = (sums.loss_square_sum / sums.weight_sum - mean * mean) * (n / (n - 1.0));
    // Equal losses can leave a tiny negative difference; NaN stays NaN.
    return std::sqrt((variance < 0.0 ? 0.0 : variance) / n);
}

}  // namespace

double SplitSurface::shown_loss(std::size_t point) const {
    if (done[point] != 0) return loss[point];
    return interpolated_loss.empty() ? std::numeric_limits<double>::quiet_NaN() : interpolated_loss[point];
}

double SplitSurface::shown_accuracy(std::size_t point) const {
    if (done[point] != 0) return accuracy[point];
    return interpolated_accuracy.empty() ? std::numeric_limits<double>::quiet_NaN() : interpolated_accuracy[point];
}

const SplitSurface* Surface::find(const std::string& split) const {
    for (const SplitSurface& candidate : splits) {
        if (candidate.name == split) return &candidate;
    }
    return nullptr;
}

Surface make_surface(std::vector<double> x, std::vector<double> y, const std::vector<std::string>& splits,
                     bool has_accuracy) {
    Surface surface;
    surface.x = std::move(x);
    surface.y = std::move(y);
    const std::size_t points = surface.point_count();
    for (const std::string& name : splits) {
        SplitSurface split;
        split.name = name;
        split.has_accuracy = has_accuracy;
        split.loss.assign(points, kNotComputed);
        split.accuracy.assign(points, has_accuracy ? kNotComputed : std::numeric_limits<double>::quiet_NaN());
        split.standard_error.assign(points, kNotComputed);
        split.done.assign(points, 0);
        split.non_finite.assign(points, 0);
        split.samples.assign(points, 0);
        surface.splits.push_back(std::move(split));
    }
    return surface;
}

void set_result(SplitSurface& split, std::size_t point, const LossSums& sums) {
    const double mean = sums.loss_sum / sums.weight_sum;
    split.loss.at(point) = mean;
    split.accuracy.at(point) = split.has_accuracy
                                   ? 100.0 * static_cast<double>(sums.correct) / static_cast<double>(sums.counted)
                                   : std::numeric_limits<double>::quiet_NaN();
    split.standard_error.at(point) = standard_error_of(sums, mean);
    split.non_finite.at(point) = sums.non_finite;
    split.samples.at(point) = sums.counted;
    split.done.at(point) = 1;
}

double confidence_half_width(const SplitSurface& split, std::size_t point) {
    constexpr double kNormalQuantile = 1.959963984540054;  // of 0.975
    const std::int64_t count = split.samples.at(point);
    const double error = split.standard_error.at(point);
    if (split.done.at(point) == 0 || count < 2 || count > split.drawn || !std::isfinite(error) || error < 0.0) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const double share = static_cast<double>(split.drawn) / static_cast<double>(split.drawn_from);
    return kNormalQuantile * error * std::sqrt(1.0 - share);
}

std::string sampling_note(const SplitSurface& split) {
    if (!split.is_drawn()) return {};
    return fmt::format("{} of {} samples, drawn at random", split.drawn, split.drawn_from);
}

std::vector<double> linspace(double min, double max, std::int64_t points) {
    if (points < 1) throw InputError("an axis needs at least one point, not {}", points);
    std::vector<double> values(static_cast<std::size_t>(points), min);
    if (points == 1) return values;
    const auto intervals = static_cast<double>(points - 1);
    const double delta = max - min;
    const double step = delta / intervals;
    for (std::size_t i = 0; i < values.size(); ++i) {
        // numpy scales before it multiplies where the step underflows to zero.
        const auto index = static_cast<double>(i);
        values[i] = (step == 0.0 ? index / intervals * delta : index * step) + min;
    }
    values.back() = max;
    return values;
}

}  // namespace lossmap
