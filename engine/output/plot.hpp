#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"

namespace lossmap {

enum class PlotKind : std::uint8_t { line, contour, filled, heatmap, surface3d, trajectory };
enum class PlotFormat : std::uint8_t { svg, png, pdf };
[[nodiscard]] const char* name_of(PlotKind kind);
[[nodiscard]] const char* name_of(PlotFormat format);

struct PlotOptions {
    PlotKind kind = PlotKind::contour;
    PlotFormat format = PlotFormat::svg;
    std::optional<double>
        vmin;  ///< levels from vmin to vmax by vlevel; defaults 0.1, 10, 0.5 (reference implementation)
    std::optional<double> vmax;
    std::optional<double> vlevel;  ///< with `log`: distance of the levels' decimal logarithms (contour_levels.hpp)
    bool log = false;              ///< logarithmic loss scale
    std::string title;
    std::string split;                     ///< "" is the first one (a line draws all)
    std::optional<TrajectoryPlane> plane;  ///< kind `trajectory` draws its paths over logarithmic contours
};

/// Draws with gnuplot into `file` (its folder must exist). NaN, infinite and not computed points are gaps, with a note
/// in the picture. Throws InputError when the kind does not fit (a line as a contour), Error when gnuplot is missing or
/// fails.
void draw_plot(const Surface& surface, const PlotOptions& options, const std::filesystem::path& file);

/// The pictures that a run makes by itself: a line gets `line`, a plane contour, filled, heatmap, surface3d.
[[nodiscard]] std::vector<PlotKind> default_kinds(const Surface& surface);

}  // namespace lossmap
