#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/line_curves.hpp"
#include "output/picture.hpp"

namespace lossmap {

namespace {

std::string axes(const Canvas& canvas, const Surface& surface, const LineCurves& curves, bool log) {
    const double first = surface.x.front();
    const double last = surface.x.back();
    const double pad = last > first ? 0.0 : 0.5;
    std::string text = fmt::format("set xrange [{}:{}]\n", exact(first - pad), exact(last + pad));
    text += horizontal_label(canvas, "alpha");
    text += "set grid xtics ytics lw 0.5 lc rgb '#e4e4e4' dashtype solid\n";
    text += fmt::format("set ylabel 'loss' textcolor rgb '{0}'\nset ytics nomirror textcolor rgb '{0}'\n", kLossColour);
    text += loss_axis(curves.low(), curves.high(), log);
    if (curves.has_accuracy()) {
        text += fmt::format(
            "set y2label 'accuracy (%)' textcolor rgb '{0}'\nset y2range [0:100]\nset y2tics 20 textcolor rgb '{0}'\n",
            kAccuracyColour);
    } else {
        text += "set ytics mirror\n";
    }
    return text + key_above(canvas);
}

}  // namespace

std::string line_script(const Surface& surface, const PlotOptions& options) {
    const LineCurves curves(surface, options.log);
    const std::string title = options.title.empty() ? "Loss along a line" : options.title;
    const Canvas canvas = with_room_for(curves.notes(), kLineCanvas);
    std::string text = curves.blocks() + script_head(canvas, options, title, curves.notes());
    text += axes(canvas, surface, curves, options.log);
    return text + fmt::format("plot {}\n", fmt::join(curves.elements(), ", \\\n     "));
}

}  // namespace lossmap
