#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "landscape/surface.hpp"
#include "landscape/trajectory_file.hpp"
#include "output/plane_axes.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// One picture of a grid of them. Borrows the surface and the paths.
struct MultiplesPanel {
    std::string title;  ///< may hold line breaks; wrapped to the panel's width
    const Surface* surface = nullptr;
    std::string split;                       ///< "" is the first one (a line draws all)
    const TrajectoryPlane* plane = nullptr;  ///< kind `trajectory` needs it
};

struct MultiplesOptions {
    PlotOptions plot;         ///< kind: all but surface3d; `split` and `plane` are the panels'
    std::size_t columns = 0;  ///< 0: chosen
    AxisLabels labels;        ///< x, y: of planes; a line's are alpha and loss
    std::string value_label;  ///< of the colour bar; "": "train loss", or "loss" when the panels' splits differ
};

/// Most panels that one picture takes.
inline constexpr std::size_t kMostPanels = 120;

/// Draws the panels, which are all lines or all planes, as small multiples into `file`: one scale for all (levels,
/// colour bar, loss axis), a title each, axes labelled once. Panels over the same range share their ticks. NaN,
/// infinite and not computed points are gaps, counted in the caption. Throws InputError when a panel does not fit the
/// kind (naming the panel), there is none or there are more than kMostPanels; Error when gnuplot is missing or fails.
void draw_multiples(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options,
                    const std::filesystem::path& file);

/// The gnuplot script behind it, data included.
[[nodiscard]] std::string multiples_script(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options);

}  // namespace lossmap
