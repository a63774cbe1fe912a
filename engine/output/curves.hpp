#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "output/plot.hpp"

namespace lossmap {

/// Groups that colours tell apart.
inline constexpr std::size_t kCurveColours = 8;

/// One line of a figure. NaN and infinity are gaps.
struct Curve {
    std::string name;             ///< "" keeps it out of the legend
    std::vector<double> x;        ///< ascending
    std::vector<double> y;        ///< as long as x
    std::size_t group = 0;        ///< curves of a group have one colour
    std::size_t dash = 0;         ///< 0 solid, 1 dashed, .. (dash_of_split)
    bool on_second_axis = false;  ///< its group's colour is then the axis'
    bool faint = false;           ///< one of many, behind the others
    bool unlisted = false;        ///< a picture's legend tells it by its group and dash: it has no entry
};

/// The area between two curves, filled in the colour of its group. A point where either is not finite is a gap.
struct Band {
    std::string name;  ///< "" keeps it out of the legend
    std::vector<double> x;
    std::vector<double> low;
    std::vector<double> high;
    std::size_t group = 0;
    bool on_second_axis = false;
};

/// Curves over one horizontal axis: training curves, norms, repeated lines.
struct CurvesFigure {
    std::string name;  ///< of its file, without the ending
    std::string title;
    std::string x_label;
    std::string y_label;
    std::string y2_label;  ///< "" where no curve is on the second axis
    std::vector<Band> bands;
    std::vector<Curve> curves;
    std::vector<std::string> notes;  ///< sentences under the picture
};

/// Train is solid and test dashed; further splits get patterns of their own, by their place in the list.
[[nodiscard]] std::size_t dash_of_split(const std::string& split, std::size_t index);

/// Draws with gnuplot into `file` (its folder must exist). Points that are not finite are counted in a note. Throws
/// InputError when a curve is not as long as its x or there is no point at all, Error when gnuplot is missing or fails.
void draw_curves(const CurvesFigure& figure, PlotFormat format, const std::filesystem::path& file);

/// The gnuplot script behind it, data included.
[[nodiscard]] std::string curves_script(const CurvesFigure& figure, PlotFormat format);

}  // namespace lossmap
