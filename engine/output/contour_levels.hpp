#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lossmap {

/// The reference implementation's levels: vmin 0.1, vmax 10 (left out, as numpy.arange does), every 0.5.
inline constexpr double kDefaultLevelMin = 0.1;
inline constexpr double kDefaultLevelMax = 10.0;
inline constexpr double kDefaultLevelStep = 0.5;

struct LevelRequest {
    std::optional<double> vmin;
    std::optional<double> vmax;
    std::optional<double> vlevel;  ///< distance of two levels; of their decimal logarithms when `log`
    bool log = false;
};

struct ContourLevels {
    std::vector<double> values;  ///< ascending; each within (or at the border of) the values that are drawn
    std::string note;            ///< why these are not the levels asked for; "" when they are
};

/// Levels for values in [low, high]. Linear: vmin to vmax by vlevel. Logarithmic: the same in decimal logarithms when
/// vlevel is given, else 1, 2, 5 (finer for less than two decades) between vmin and vmax, which default to the range of
/// the values. Where fewer than three of the default levels, or none of the levels asked for, fall within the values,
/// levels are chosen to fit and the note says so. Throws InputError for a step that is not positive, an empty or not
/// finite range, vmin <= 0 with log, or more than 500 levels.
[[nodiscard]] ContourLevels contour_levels(const LevelRequest& request, double low, double high);

/// Round values (1, 2, 5 times a power of ten apart) within [low, high], about `count` of them.
[[nodiscard]] std::vector<double> round_values(double low, double high, int count);

/// 1, 2, 5 times powers of ten within [low, high]; more in a decade, or linear ones, where the range is short.
[[nodiscard]] std::vector<double> round_log_values(double low, double high);

}  // namespace lossmap
