#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/colour_map.hpp"
#include "output/contour_labels.hpp"
#include "output/contour_levels.hpp"
#include "output/gnuplot.hpp"
#include "output/path_overlay.hpp"
#include "output/picture.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

namespace {

/// Lines and bands come from one interpolation onto a grid of about this many points a side, so that they fit each
/// other; one point is then 1.4 nominal pixels.
constexpr std::size_t kFineGrid = 420;
constexpr double kTolerance = 0.15;  // pixels a simplified line may be off
constexpr std::size_t kMostBarTicks = 26;
/// The bright end of the colour map is hard to see as a thin line on white.
constexpr double kBrightestLine = 0.86;

std::size_t fine_size(std::size_t count) {
    return count >= kFineGrid ? count : (count - 1) * ((kFineGrid + count - 3) / (count - 1)) + 1;
}

double share(std::size_t index, std::size_t count) {
    return count < 2 ? 0.5 : static_cast<double>(index) / static_cast<double>(count - 1);
}

class ContourPicture {
public:
    ContourPicture(const Surface& surface, const SplitSurface& split, const PlotOptions& options)
        : surface_(surface),
          split_(split),
          options_(options),
          log_(options.log || options.kind == PlotKind::trajectory),
          values_(plane_values(surface, split, log_)),
          levels_(contour_levels({options.vmin, options.vmax, options.vlevel, log_}, values_.low, values_.high)),
          fine_(resample_linear(values_.grid, fine_size(surface.x.size()), fine_size(surface.y.size()))),
          filled_(options.kind == PlotKind::filled) {
        if (options.kind == PlotKind::trajectory) overlay_ = path_overlay(*options.path, surface, split.name);
        trace();
    }

    std::string script() {
        std::vector<PlanePoint> marks;
        if (surface_.x.front() <= 0.0 && surface_.x.back() >= 0.0 && surface_.y.front() <= 0.0 &&
            surface_.y.back() >= 0.0) {
            marks.push_back(to_pixels({0.0, 0.0}));
        }
        for (const PlanePoint& point : overlay_.obstacles)
            marks.push_back(to_pixels(point));
        const std::vector<PlacedLabel> labels =
            place_labels(lines_, kPlaneCanvas.plot_width(), kPlaneCanvas.plot_height(), {}, marks);
        const ScalarGrid ground = filled_ ? banded() : gap_map();
        const bool has_ground = filled_ || values_.gaps.any();
        const std::string line_rows = rows_of_lines();

        std::string text;
        if (has_ground) text += image_block("ground", ground);
        if (!line_rows.empty()) text += data_block("lines", line_rows);
        text += overlay_.blocks;
        const std::string title = options_.title.empty() ? split_.name + " loss" : options_.title;
        text += script_head(kPlaneCanvas, options_, title, caption());
        text += plane_axes({surface_.x.front(), surface_.x.back()}, {surface_.y.front(), surface_.y.back()},
                           values_.gaps.any(), overlay_.labels);
        text += overlay_.settings;
        text += legend();
        text += label_commands(labels);
        std::vector<std::string> elements;
        if (has_ground) elements.push_back(image_plot("ground", ground, filled_) + " notitle");
        if (!line_rows.empty())
            elements.emplace_back(filled_ ? "$lines using 1:2 with lines lw 1.1 lc rgb '#50202020' notitle"
                                          : "$lines using 1:2:3 with lines lw 1.1 lc palette notitle");
        elements.insert(elements.end(), overlay_.elements.begin(), overlay_.elements.end());
        if (elements.empty()) elements.emplace_back("NaN notitle");  // a constant: the axes alone
        return text + fmt::format("plot {}\n", fmt::join(elements, ", \\\n     "));
    }

private:
    [[nodiscard]] double drawn(double loss) const { return log_ ? std::log10(loss) : loss; }

    [[nodiscard]] PlanePoint to_pixels(const PlanePoint& point) const {
        return {(point.x - surface_.x.front()) / (surface_.x.back() - surface_.x.front()) * kPlaneCanvas.plot_width(),
                (point.y - surface_.y.front()) / (surface_.y.back() - surface_.y.front()) * kPlaneCanvas.plot_height()};
    }
    [[nodiscard]] PlanePoint to_plane(const PlanePoint& pixels) const {
        return {surface_.x.front() + pixels.x / kPlaneCanvas.plot_width() * (surface_.x.back() - surface_.x.front()),
                surface_.y.front() + pixels.y / kPlaneCanvas.plot_height() * (surface_.y.back() - surface_.y.front())};
    }

    void trace() {
        for (const double level : levels_.values) {
            LevelLines lines{level, short_number(level), {}};
            for (const Polyline& line : contour_lines(fine_, drawn(level))) {
                Polyline pixels;
                for (const PlanePoint& point : line)
                    pixels.push_back(to_pixels(point));
                lines.lines.push_back(simplify(pixels, kTolerance));
            }
            lines_.push_back(std::move(lines));
        }
    }

    /// Colours of the bands below, between and above the levels, or, for lines, of the levels.
    [[nodiscard]] std::vector<Colour> colours() const {
        const std::size_t count = levels_.values.size() + (filled_ ? 1 : 0);
        std::vector<Colour> result;
        for (std::size_t i = 0; i < count; ++i)
            result.push_back(viridis(share(i, count) * (filled_ ? 1.0 : kBrightestLine)));
        return result;
    }

    /// Index of the band of each pixel plus a half.
    [[nodiscard]] ScalarGrid banded() const {
        ScalarGrid bands = fine_;
        std::vector<double> borders;
        for (const double level : levels_.values)
            borders.push_back(drawn(level));
        for (double& z : bands.z) {
            if (std::isnan(z)) continue;
            const auto above = std::upper_bound(borders.begin(), borders.end(), z) - borders.begin();
            z = static_cast<double>(above) + 0.5;
        }
        return bands;
    }

    /// White, and grey where lines are missing for want of values: grey levels 0..255.
    [[nodiscard]] ScalarGrid gap_map() const {
        ScalarGrid map = fine_;
        for (double& z : map.z)
            z = std::isnan(z) ? kGapGreyLevel : 255.0;
        return map;
    }

    [[nodiscard]] std::string rows_of_lines() const {
        std::string rows;
        for (std::size_t k = 0; k < lines_.size(); ++k) {
            const double place = static_cast<double>(k) + 0.5;  // of the level's colour in the bar
            for (const Polyline& line : lines_[k].lines) {
                for (const PlanePoint& pixels : line) {
                    const PlanePoint point = to_plane(pixels);
                    rows += fmt::format("{} {} {}\n", exact(point.x), exact(point.y), place);
                }
                rows += '\n';
            }
        }
        return rows;
    }

    [[nodiscard]] std::string label_commands(const std::vector<PlacedLabel>& labels) const {
        const std::vector<Colour> level_colours = colours();
        const char* size = options_.format == PlotFormat::svg ? "11" : "8.5";
        std::string text;
        int tag = 2000;
        for (const PlacedLabel& label : labels) {
            const PlanePoint place = to_plane(label.centre);
            const Colour colour = level_colours[label.level_index];
            // On a band: black or white, whichever stands out more; on white: the line's own colour.
            const std::string ink = !filled_ ? hex(colour) : (luminance(colour) > 0.18 ? "#000000" : "#ffffff");
            text += fmt::format(
                "set label {} '{}' at {},{} center rotate by {:.1f} front font ',{}' textcolor rgb '{}'\n", tag++,
                lines_[label.level_index].text, exact(place.x), exact(place.y), label.angle, size, ink);
        }
        return text;
    }

    [[nodiscard]] std::string legend() const {
        const std::vector<Colour> bar = colours();
        if (bar.empty()) return "unset colorbox\n";
        std::vector<std::string> names;
        for (const Colour colour : bar)
            names.push_back(hex(colour));
        std::vector<ColourTick> ticks;
        const std::size_t stride = 1 + (levels_.values.size() - (levels_.values.empty() ? 0 : 1)) / kMostBarTicks;
        for (std::size_t i = 0; i < levels_.values.size(); i += stride) {
            ticks.push_back({static_cast<double>(i) + (filled_ ? 1.0 : 0.5), short_number(levels_.values[i])});
        }
        if (ticks.empty() && values_.low == values_.high) ticks.push_back({0.5, short_number(values_.low)});
        return banded_palette(names) +
               colour_bar(kPlaneCanvas, 0.0, static_cast<double>(bar.size()), ticks, split_.name + " loss");
    }

    [[nodiscard]] std::vector<std::string> caption() const {
        std::vector<std::string> text = plane_caption(surface_, split_, values_);
        if (!overlay_.note.empty()) text.push_back(overlay_.note);
        if (!levels_.note.empty()) text.push_back(levels_.note);
        return text;
    }

    const Surface& surface_;
    const SplitSurface& split_;
    const PlotOptions& options_;
    bool log_;
    PlaneValues values_;
    ContourLevels levels_;
    ScalarGrid fine_;
    bool filled_;
    std::vector<LevelLines> lines_;
    PathOverlay overlay_;
};

}  // namespace

std::string contour_script(const Surface& surface, const SplitSurface& split, const PlotOptions& options) {
    return ContourPicture(surface, split, options).script();
}

}  // namespace lossmap
