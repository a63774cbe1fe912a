#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/picture.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

std::string heatmap_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options) {
    PlaneValues values = plane_values(surface, split, options.log);
    const ClippedScale scale = clip({&values, 1}, options);
    const ScalarGrid image = heatmap_image(values.grid, kPlaneCanvas.plot_width());

    std::vector<std::string> caption = plane_caption(surface, split, values);
    if (!scale.note.empty()) caption.push_back(scale.note);
    const std::string title = options.title.empty() ? split.name + " loss" : options.title;
    const Canvas canvas = with_room_for(caption, kPlaneCanvas);
    std::string script = image_block("image", image, cell_extent(surface.x), cell_extent(surface.y));
    script += script_head(canvas, options, title, caption);
    script += plane_axes(canvas, cell_extent(surface.x), cell_extent(surface.y), values.gaps.any());
    script += continuous_palette();
    script += colour_bar(canvas, scale.low, scale.high, scale.ticks, split.name + " loss");
    script += fmt::format("plot {}\n", image_plot("image"));
    return script;
}

}  // namespace lossmap
