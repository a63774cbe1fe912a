#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/colour_map.hpp"
#include "output/contour_levels.hpp"
#include "output/contour_lines.hpp"
#include "output/gnuplot.hpp"
#include "output/picture.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

namespace {

constexpr std::size_t kMostMeshLines = 101;  // more would be a solid block of ink
constexpr std::size_t kContourGrid = 240;
constexpr double kFloorShare = 0.45;  // how far the floor with the contours lies below the surface

/// A surface keeps its samples as mesh unless there are too many.
ScalarGrid mesh_of(const ScalarGrid& grid) {
    if (grid.x.size() <= kMostMeshLines && grid.y.size() <= kMostMeshLines) return grid;
    return resample_linear(grid, std::min(grid.x.size(), kMostMeshLines), std::min(grid.y.size(), kMostMeshLines));
}

std::string mesh_block(const ScalarGrid& mesh) {
    std::string rows;
    for (std::size_t iy = 0; iy < mesh.y.size(); ++iy) {
        for (std::size_t ix = 0; ix < mesh.x.size(); ++ix) {
            rows += fmt::format("{} {} {}\n", exact(mesh.x[ix]), exact(mesh.y[iy]), exact(mesh.at(ix, iy)));
        }
        rows += '\n';
    }
    return data_block("mesh", rows);
}

/// Contour lines on the floor, coloured by level: x y z colour.
std::string floor_block(const ScalarGrid& grid, const ClippedScale& scale, double floor) {
    const ScalarGrid fine = resample_linear(grid, kContourGrid, kContourGrid);
    const double tolerance = 5e-4 * std::hypot(grid.x.back() - grid.x.front(), grid.y.back() - grid.y.front());
    constexpr int kLevels = 12;
    std::string rows;
    for (int k = 1; k <= kLevels; ++k) {
        const double level = scale.low + (scale.high - scale.low) * k / (kLevels + 1);
        for (const Polyline& line : contour_lines(fine, level)) {
            for (const PlanePoint& point : simplify(line, tolerance)) {
                rows += fmt::format("{} {} {} {}\n", exact(point.x), exact(point.y), exact(floor), exact(level));
            }
            rows += "\n\n";
        }
    }
    return rows;
}

}  // namespace

std::string relief_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options) {
    PlaneValues values = plane_values(surface, split, options.log);
    const ClippedScale scale = clip({&values, 1}, options);
    std::vector<std::string> caption = plane_caption(surface, split, values);
    if (values.gaps.any()) caption.back() = values.gaps.text() + " (holes)";
    if (!scale.note.empty()) caption.push_back(scale.note);
    const double floor = scale.low - kFloorShare * (scale.high - scale.low);
    const std::string floor_rows = floor_block(values.grid, scale, floor);

    std::string script = mesh_block(mesh_of(values.grid));
    if (!floor_rows.empty()) script += data_block("floor", floor_rows);
    const std::string title = options.title.empty() ? split.name + " loss" : options.title;
    script += script_head(kPlaneCanvas, options, title, caption);
    // The box of a 3D plot is smaller than the plot area and not centred in it.
    script += "unset lmargin\nunset rmargin\nunset bmargin\nunset tmargin\nset origin -0.06,0.02\nset size 0.96,0.96\n";
    script += continuous_palette();
    script += colour_bar(kPlaneCanvas, scale.low, scale.high, scale.ticks, split.name + " loss");
    script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset zrange [{}:{}]\nset xyplane at {}\n",
                          exact(surface.x.front()), exact(surface.x.back()), exact(surface.y.front()),
                          exact(surface.y.back()), exact(floor), exact(scale.high), exact(floor));
    script +=
        "unset key\nset format xy '%.4g'\nset view 58,35,1.05,1.0\nset xtics offset -0.5,-0.4\nset ytics offset "
        "0.8,-0.2\n";
    script += fmt::format(
        "set xlabel 'alpha' offset 0,-0.8 textcolor rgb '{0}'\nset ylabel 'beta' offset 1,-0.8 textcolor rgb '{0}'\n",
        kInk);
    script += "set ztics (";
    for (std::size_t i = 0; i<scale.ticks.size(); i += scale.ticks.size()> 8 ? 2 : 1) {
        script += fmt::format("{}'{}' {}", i == 0 ? "" : ", ", scale.ticks[i].text, exact(scale.ticks[i].place));
    }
    script += ")\nset border 15+16+32+256+512 lw 0.6 lc rgb '#888888'\n";
    script += "set pm3d depthorder corners2color mean border lc rgb '#a0202020' lw 0.35\n";
    script += "splot ";
    if (!floor_rows.empty()) script += "$floor using 1:2:3:4 with lines lw 1.3 lc palette, \\\n      ";
    return script + "$mesh using 1:2:3 with pm3d\n";
}

}  // namespace lossmap
