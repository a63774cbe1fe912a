#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/gnuplot.hpp"
#include "output/picture.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

namespace {

/// Pixels of the picture's image along an axis of `count` samples: whole blocks, so that a viewer that smooths images
/// keeps the cells sharp.
std::size_t image_size(const std::vector<double>& axis) {
    constexpr std::size_t kAbout = 480;
    const std::size_t count = axis.size();
    return count >= kAbout ? count : count * ((kAbout + count - 1) / count);
}

}  // namespace

std::string heatmap_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options) {
    PlaneValues values = plane_values(surface, split, options.log);
    const ClippedScale scale = clip(values, options);
    const ScalarGrid image = resample_nearest(values.grid, image_size(surface.x), image_size(surface.y));

    std::vector<std::string> caption = plane_caption(surface, split, values);
    if (!scale.note.empty()) caption.push_back(scale.note);
    const std::string title = options.title.empty() ? split.name + " loss" : options.title;
    std::string script = image_block("image", image);
    script += script_head(kPlaneCanvas, options, title, caption);
    script += plane_axes(cell_extent(surface.x), cell_extent(surface.y), values.gaps.any());
    script += continuous_palette();
    script += colour_bar(kPlaneCanvas, scale.low, scale.high, scale.ticks, split.name + " loss");
    script += fmt::format("plot {}\n", image_plot("image", image));
    return script;
}

}  // namespace lossmap
