#include "output/contour_levels.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "core/error.hpp"

namespace lossmap {

namespace {

constexpr double kMaxLevels = 500;
constexpr std::size_t kFewestDefaultLevels = 3;
constexpr int kAutomaticLevels = 16;

void check(const LevelRequest& request, double vmin, double vmax) {
    if (request.vlevel && !(std::isfinite(*request.vlevel) && *request.vlevel > 0.0)) {
        throw InputError("vlevel is {}; expected a positive number", *request.vlevel);
    }
    if (!std::isfinite(vmin) || !std::isfinite(vmax) || vmin >= vmax) {
        throw InputError("contour levels from vmin {} to vmax {}; expected finite numbers with vmin < vmax", vmin,
                         vmax);
    }
    if (request.log && vmin <= 0.0) throw InputError("vmin is {}; a logarithmic scale needs vmin > 0", vmin);
}

/// As numpy.arange: `last` itself is left out.
std::vector<double> stepped(double first, double last, double step) {
    const double count = std::ceil((last - first) / step - 1e-9);
    if (count > kMaxLevels) {
        throw InputError("{:.0f} contour levels from {} to {} by {}; expected at most {}", count, first, last, step,
                         kMaxLevels);
    }
    std::vector<double> values;
    for (int i = 0; i < static_cast<int>(count); ++i)
        values.push_back(first + i * step);
    return values;
}

std::vector<double> asked_for(const LevelRequest& request, double vmin, double vmax) {
    if (!request.log) return stepped(vmin, vmax, request.vlevel.value_or(kDefaultLevelStep));
    if (!request.vlevel) return round_log_values(vmin, vmax);
    std::vector<double> values = stepped(std::log10(vmin), std::log10(vmax), *request.vlevel);
    for (double& value : values)
        value = std::pow(10.0, value);
    return values;
}

std::vector<double> within(const std::vector<double>& values, double low, double high) {
    std::vector<double> result;
    std::copy_if(values.begin(), values.end(), std::back_inserter(result),
                 [&](double value) { return value > low && value < high; });
    return result;
}

std::vector<double> multiples(double low, double high, std::initializer_list<double> mantissas) {
    std::vector<double> values;
    for (int exponent = static_cast<int>(std::floor(std::log10(low))); std::pow(10.0, exponent) <= high; ++exponent) {
        for (const double mantissa : mantissas) {
            const double value = mantissa * std::pow(10.0, exponent);
            if (value >= low && value <= high) values.push_back(value);
        }
    }
    return values;
}

}  // namespace

std::vector<double> round_values(double low, double high, int count) {
    std::vector<double> values;
    if (!(high > low) || !std::isfinite(high - low)) return values;
    const double raw = (high - low) / count;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    double step = 10.0 * power;
    for (const double mantissa : {1.0, 2.0, 5.0}) {
        if (raw <= mantissa * power * (1.0 + 1e-9)) {
            step = mantissa * power;
            break;
        }
    }
    for (double index = std::ceil(low / step - 1e-9); index * step <= high + 1e-9 * step; index += 1.0) {
        const double value = index * step;
        if (!values.empty() && value <= values.back()) break;  // the step is below the resolution of the numbers
        values.push_back(value == 0.0 ? 0.0 : value);
    }
    return values;
}

std::vector<double> round_log_values(double low, double high) {
    const double decades = std::log10(high / low);
    if (decades < 0.7) return round_values(low, high, 8);
    if (decades < 1.5) return multiples(low, high, {1, 1.5, 2, 3, 4, 5, 7});
    if (decades < 7.0) return multiples(low, high, {1, 2, 5});
    if (decades < 20.0) return multiples(low, high, {1});
    std::vector<double> values;
    for (const double exponent : round_values(std::log10(low), std::log10(high), 10)) {
        values.push_back(std::pow(10.0, exponent));
    }
    return values;
}

ContourLevels contour_levels(const LevelRequest& request, double low, double high) {
    const double default_min = request.log ? low : kDefaultLevelMin;
    const double default_max = request.log ? high : kDefaultLevelMax;
    const double vmin = request.vmin.value_or(default_min);
    const double vmax = request.vmax.value_or(default_max);
    if (!(low < high)) return {{}, ""};  // a constant, or nothing at all: no line whatever the levels
    check(request, vmin, vmax);
    const bool any_given = request.vmin || request.vmax || request.vlevel;
    ContourLevels levels{within(asked_for(request, vmin, vmax), low, high), ""};
    if (levels.values.size() >= (any_given ? 1 : kFewestDefaultLevels)) return levels;
    const std::size_t found = levels.values.size();
    levels.values =
        within(request.log ? round_log_values(low, high) : round_values(low, high, kAutomaticLevels), low, high);
    if (request.log && !any_given) return levels;
    const double step = request.vlevel.value_or(kDefaultLevelStep);
    const std::string asked = request.log && !request.vlevel
                                  ? fmt::format("{:.4g} to {:.4g}", vmin, vmax)
                                  : fmt::format("{:.4g} to {:.4g} by {:.4g}", vmin, vmax, step);
    levels.note = fmt::format("levels chosen to fit: {} of those from {} within the values",
                              found == 0 ? "none" : fmt::format("only {}", found), asked);
    return levels;
}

}  // namespace lossmap
