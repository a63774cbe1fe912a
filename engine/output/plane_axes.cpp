#include "output/plane_axes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "output/colour_map.hpp"
#include "output/gnuplot.hpp"

namespace lossmap {

namespace {

void check_bounds(const PlotOptions& options) {
    for (const auto& bound : {options.vmin, options.vmax}) {
        if (bound && !std::isfinite(*bound)) throw InputError("vmin and vmax have to be finite; one is {}", *bound);
        if (bound && options.log && *bound <= 0.0)
            throw InputError("a logarithmic scale needs vmin and vmax > 0; one is {}", *bound);
    }
    if (options.vmin && options.vmax && *options.vmin >= *options.vmax) {
        throw InputError("vmin is {} and vmax {}; expected vmin < vmax", *options.vmin, *options.vmax);
    }
}

}  // namespace

std::string plane_axes(const Canvas& canvas, const AxisExtent& x, const AxisExtent& y, bool gaps,
                       const AxisLabels& labels) {
    std::string script = fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", exact(x.low), exact(x.high),
                                     exact(y.low), exact(y.high));
    script += horizontal_label(canvas, labels.x);
    script += fmt::format("set ylabel {} noenhanced textcolor rgb '{}'\n", gnuplot_string(labels.y), kInk);
    script += "set tics out nomirror\nset format xy '%.4g'\nunset key\n";
    if (gaps) script += gap_ground();
    if (labels.origin) script += origin_cross(x, y);
    return script;
}

std::string gap_ground() {
    return fmt::format("set object 1 rectangle from graph 0,0 to graph 1,1 behind fc rgb '{}' fs solid noborder\n",
                       kGapGrey);
}

std::string origin_cross(const AxisExtent& x, const AxisExtent& y, double size) {
    if (x.low > 0.0 || x.high < 0.0 || y.low > 0.0 || y.high < 0.0) return {};
    // White under black: visible on every colour.
    return fmt::format(
        "set label 1020 '' at 0,0 point pt 1 ps {:.2g} lw 4 lc rgb '#ffffff' front\n"
        "set label 1021 '' at 0,0 point pt 1 ps {:.2g} lw 1.8 lc rgb '#000000' front\n",
        size, size - 0.1);
}

std::string continuous_palette() {
    constexpr int kEntries = 32;
    std::string script = "set palette defined (";
    for (int i = 0; i <= kEntries; ++i) {
        script += fmt::format("{}{} '{}'", i == 0 ? "" : ", ", i, hex(viridis(static_cast<double>(i) / kEntries)));
    }
    return script + ")\nset palette maxcolors 0\n";
}

std::string banded_palette(const std::vector<std::string>& colours) {
    std::string script = "set palette defined (";
    for (std::size_t i = 0; i < colours.size(); ++i) {
        script += fmt::format("{0}{1} '{2}', {3} '{2}'", i == 0 ? "" : ", ", i, colours[i], i + 1);
    }
    return script + fmt::format(")\nset palette maxcolors {}\n", colours.size());
}

std::string image_block(const std::string& name, const ScalarGrid& image, const AxisExtent& x, const AxisExtent& y) {
    const auto range = [](const char* axis, const AxisExtent& extent, const std::vector<double>& pixels) {
        const double step = (pixels.back() - pixels.front()) / static_cast<double>(pixels.size() - 1);
        return fmt::format("set {}range [{}:{}]\n", axis, exact((extent.low - pixels.front()) / step),
                           exact((extent.high - pixels.front()) / step));
    };
    std::string rows;
    for (std::size_t iy = 0; iy < image.y.size(); ++iy) {
        for (std::size_t ix = 0; ix < image.x.size(); ++ix) {
            const double value = image.at(ix, iy);
            // Colours: a palette has a few hundred of them, nine digits are plenty.
            rows += std::isnan(value) ? "NaN " : fmt::format("{:.9g} ", value);
        }
        rows += '\n';
    }
    return range("x2", x, image.x) + range("y2", y, image.y) + data_block(name, rows);
}

std::string image_plot(const std::string& name, bool palette) {
    return fmt::format("${} matrix using 1:2:{} axes x2y2 with {}", name, palette ? "3" : "3:3:3",
                       palette ? "image" : "rgbimage");
}

ScalarGrid heatmap_image(const ScalarGrid& grid, double pixels) {
    const auto about = static_cast<std::size_t>(0.83 * pixels);
    // Whole blocks, so that a viewer that smooths images keeps the cells sharp.
    const auto image_size = [&](std::size_t count) {
        return count >= about ? count : count * ((about + count - 1) / count);
    };
    return resample_nearest(grid, image_size(grid.x.size()), image_size(grid.y.size()));
}

ClippedScale clip(std::span<PlaneValues> planes, const PlotOptions& options) {
    check_bounds(options);
    ClippedScale scale;
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = low;
    for (const PlaneValues& values : planes) {
        low = std::fmin(low, values.low);
        high = std::fmax(high, values.high);
    }
    if (std::isnan(low)) return scale;  // nothing to draw
    low = options.vmin.value_or(low);
    high = options.vmax.value_or(high);
    if (low >= high) {  // a constant, or all values beyond the only bound given
        const double centre = options.vmin ? low : high;
        const double pad = 0.1 * std::fmax(std::abs(centre), 1e-3);
        low = centre - pad;
        high = centre + pad;
    }
    const auto drawn = [&](double value) { return options.log ? std::log10(value) : value; };
    scale.low = drawn(low);
    scale.high = drawn(high);
    scale.ticks = scale_ticks(low, high, options.log);
    std::int64_t below = 0;
    std::int64_t above = 0;
    for (PlaneValues& values : planes) {
        for (double& z : values.grid.z) {
            if (options.vmin && z < scale.low) {
                ++below;
                z = scale.low;
            }
            if (options.vmax && z > scale.high) {
                ++above;
                z = scale.high;
            }
        }
    }
    if (above > 0) scale.note = fmt::format("clipped: {} points above {}", above, short_number(high));
    if (below > 0)
        scale.note += fmt::format("{}{} points below {}", above > 0 ? ", " : "clipped: ", below, short_number(low));
    return scale;
}

}  // namespace lossmap
