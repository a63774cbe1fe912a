#pragma once

#include <span>
#include <string>
#include <vector>

#include "output/canvas.hpp"
#include "output/plane_values.hpp"
#include "output/plot.hpp"
#include "output/scalar_grid.hpp"

namespace lossmap {

/// What stands beside the axes.
struct AxisLabels {
    std::string x = "alpha (first direction)";
    std::string y = "beta (second direction)";
    bool origin = true;  ///< whether the origin is marked
};

/// Ranges and labels of both axes, a cross at the origin when it is inside (and to be marked); with `gaps` the ground
/// is grey.
[[nodiscard]] std::string plane_axes(const Canvas& canvas, const AxisExtent& x, const AxisExtent& y, bool gaps,
                                     const AxisLabels& labels = {});

/// Part of it: a grey ground where gaps are to show, and the cross, of `size` point sizes, when the origin is inside.
[[nodiscard]] std::string gap_ground();
[[nodiscard]] std::string origin_cross(const AxisExtent& x, const AxisExtent& y, double size = 1.5);

/// The colour map over the whole colour scale.
[[nodiscard]] std::string continuous_palette();
/// One colour for each unit of the colour scale [0, colours.size()].
[[nodiscard]] std::string banded_palette(const std::vector<std::string>& colours);

/// Pixels of an even grid as a matrix, for axes of these extents, and the plot element that draws it: through the
/// palette, or as grey levels 0..255. Pixels are counted along the second axes: gnuplot takes ten times as long to
/// compute a place for each.
[[nodiscard]] std::string image_block(const std::string& name, const ScalarGrid& image, const AxisExtent& x,
                                      const AxisExtent& y);
[[nodiscard]] std::string image_plot(const std::string& name, bool palette = true);

/// A pixel image with one colour a sample for a plot area of about `pixels` nominal pixels a side.
[[nodiscard]] ScalarGrid heatmap_image(const ScalarGrid& grid, double pixels);

/// Range of the colour or height scale in drawn units (logarithms where asked for).
struct ClippedScale {
    double low = 0.0;
    double high = 1.0;
    std::vector<ColourTick> ticks;
    std::string note;  ///< how many points lie outside vmin, vmax and are drawn at the border; "" when none does
};

/// One scale for all planes; clips their values to options.vmin and vmax where given. Throws InputError for vmin >=
/// vmax or bounds that do not fit a logarithmic scale.
[[nodiscard]] ClippedScale clip(std::span<PlaneValues> planes, const PlotOptions& options);

}  // namespace lossmap
