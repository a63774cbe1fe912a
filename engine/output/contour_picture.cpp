#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/contour_drawing.hpp"
#include "output/path_overlay.hpp"
#include "output/picture.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

std::string contour_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options) {
    const bool log = options.log || options.kind == PlotKind::trajectory;
    const PlaneValues values = plane_values(surface, split, log);
    const ContourStyle style{contour_levels({options.vmin, options.vmax, options.vlevel, log}, values.low, values.high),
                             log, options.kind == PlotKind::filled};
    PathOverlay overlay;
    if (options.kind == PlotKind::trajectory) overlay = path_overlay(*options.plane, surface, split.name);
    ContourDrawing drawing(values, style, kPlaneCanvas.plot_width(), kPlaneCanvas.plot_height());
    const std::string labels = drawing.label(overlay.obstacles, {}, options.format == PlotFormat::svg ? 11 : 8.5);

    std::vector<std::string> caption = plane_caption(surface, split, values);
    caption.insert(caption.end(), overlay.notes.begin(), overlay.notes.end());
    if (!style.levels.note.empty()) caption.push_back(style.levels.note);
    const Canvas canvas = with_room_for(caption, kPlaneCanvas);
    std::string text = drawing.blocks() + overlay.blocks;
    text += script_head(canvas, options, options.title.empty() ? split.name + " loss" : options.title, caption);
    text += plane_axes(canvas, {surface.x.front(), surface.x.back()}, {surface.y.front(), surface.y.back()},
                       values.gaps.any(), overlay.labels);
    if (options.kind == PlotKind::trajectory) text += path_legend(*options.plane, canvas);
    text += style.legend(canvas, split.name + " loss", values.low, values.high);
    text += labels;
    std::vector<std::string> elements = drawing.elements();
    elements.insert(elements.end(), overlay.elements.begin(), overlay.elements.end());
    if (elements.empty()) elements.emplace_back("NaN notitle");  // a constant: the axes alone
    return text + fmt::format("plot {}\n", fmt::join(elements, ", \\\n     "));
}

}  // namespace lossmap
