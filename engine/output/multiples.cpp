#include "output/multiples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "output/canvas.hpp"
#include "output/contour_drawing.hpp"
#include "output/gnuplot.hpp"
#include "output/line_curves.hpp"
#include "output/panel_grid.hpp"
#include "output/path_overlay.hpp"
#include "output/picture.hpp"
#include "output/text.hpp"

namespace lossmap {

namespace {

constexpr double kTitleCharacter = 7.1;  // mean width in pixels at the size of the panels' titles
constexpr double kTickCharacter = 7.0;
constexpr std::size_t kTitleLines = 4;
constexpr double kNarrowestLabelledPanel = 190.0;  // below that, labels on lines hide more than they tell
constexpr double kLineAspect = 0.72;
constexpr double kKeyHeight = 24.0;

/// Sizes of fonts are given for SVG, where the terminal's unit is the pixel.
double font_size(double svg_size, PlotFormat format) { return format == PlotFormat::svg ? svg_size : svg_size / 1.3; }

struct Extents {
    AxisExtent x;
    AxisExtent y;
};

bool same(const AxisExtent& a, const AxisExtent& b) { return a.low == b.low && a.high == b.high; }

/// What is common to pictures of lines and of planes: the grid, titles, shared ticks.
class Multiples {
public:
    Multiples(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options)
        : panels_(panels), options_(options) {}
    virtual ~Multiples() = default;
    Multiples(const Multiples&) = delete;
    Multiples& operator=(const Multiples&) = delete;

    std::string script() {
        const PanelGrid grid = grid_of_panels();
        const Canvas whole = grid.whole();
        std::string text = script_head(whole, options_.plot, options_.plot.title, caption());
        text += "unset key\nset multiplot\n";
        text += frame(whole);
        for (std::size_t k = 0; k < panels_.size(); ++k)
            text += panel_head(grid, k) + panel(grid, k) + "unset label\nunset object\n";
        return text + "unset multiplot\n";
    }

protected:
    [[nodiscard]] const MultiplesPanel& panel_at(std::size_t index) const { return panels_[index]; }
    [[nodiscard]] std::size_t count() const { return panels_.size(); }
    [[nodiscard]] const MultiplesOptions& options() const { return options_; }
    [[nodiscard]] const PlotOptions& plot() const { return options_.plot; }

    [[nodiscard]] virtual PanelLayout layout() const = 0;
    [[nodiscard]] virtual Extents extents(std::size_t index) const = 0;
    [[nodiscard]] virtual std::vector<std::string> caption() const = 0;
    /// Settings of scale, key, colour bar and axis labels, before anything is drawn.
    [[nodiscard]] virtual std::string shared(const Canvas& whole) const = 0;
    [[nodiscard]] virtual bool has_bar() const { return false; }
    [[nodiscard]] virtual std::vector<std::string> key_entries() const { return {}; }
    [[nodiscard]] virtual std::string panel(const PanelGrid& grid, std::size_t index) = 0;
    [[nodiscard]] virtual bool sets_y_ticks() const { return true; }

    [[nodiscard]] bool shares_ranges() const {
        for (std::size_t k = 1; k < count(); ++k) {
            if (!same(extents(k).x, extents(0).x) || !same(extents(k).y, extents(0).y)) return false;
        }
        return true;
    }

    [[nodiscard]] static std::string left_label(const Canvas& whole, const std::string& text, const char* colour) {
        return fmt::format(
            "set label 1012 {} at screen {},{} center rotate by 90 front noenhanced textcolor rgb '{}'\n",
            gnuplot_string(text), 20.0 / whole.width, 0.5 * (whole.bottom + whole.top) / whole.height, colour);
    }

private:
    PanelGrid grid_of_panels() {
        PanelLayout wanted = layout();
        wanted.count = count();
        wanted.columns = options_.columns;
        if (shares_ranges()) {
            // The last tick of a panel and the first one of its neighbour stand beside each other.
            std::size_t characters = 2;
            for (const double end : {extents(0).x.low, extents(0).x.high})
                characters = std::max(characters, short_number(end).size());
            wanted.column_gap =
                std::max(18.0, kTickCharacter * static_cast<double>(std::min<std::size_t>(characters, 6)));
        } else {
            wanted.column_gap = sets_y_ticks() ? 58.0 : 40.0;
            wanted.tick_height = 20.0;
        }
        PanelGrid grid(wanted);
        std::size_t lines = 1;
        for (const MultiplesPanel& one : panels_) {
            titles_.push_back(wrap_text(
                one.title, static_cast<std::size_t>((grid.panel_width() + 8.0) / kTitleCharacter), kTitleLines));
            lines = std::max(lines, titles_.back().size());
        }
        grid.set_title_lines(lines);
        return grid;
    }

    /// What surrounds the panels is a plot of its own without axes: title, caption, axis labels, colour bar, key.
    std::string frame(const Canvas& whole) const {
        std::vector<std::string> elements = key_entries();
        // gnuplot draws a colour bar only for a plot that has an element of the palette.
        elements.insert(elements.begin(), has_bar() ? "NaN with points lc palette notitle" : "NaN notitle");
        // Over the whole width: a key takes no more than the plot's.
        std::string text =
            "set lmargin at screen 0\nset rmargin at screen 1\nunset border\nunset tics\n" + shared(whole);
        text += fmt::format("plot [0:1] [0:1] {}\n", fmt::join(elements, ", \\\n     "));
        text += "unset label\nunset colorbox\nunset key\n";
        text += fmt::format("set border 31 lw 0.8 lc rgb '{0}'\nset xtics textcolor rgb '{0}'\n", kInk);
        text += fmt::format("set ytics textcolor rgb '{}'\nset tics out nomirror scale 0.6 font ',{:.1f}'\n", kInk,
                            font_size(11, plot().format));
        return text;
    }

    /// Place, title, ranges and ticks of a panel.
    std::string panel_head(const PanelGrid& grid, std::size_t index) const {
        const Canvas place = grid.panel(index);
        std::string text = fmt::format(
            "set lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\nset tmargin at screen {}\n",
            place.left / place.width, place.right / place.width, place.bottom / place.height, place.top / place.height);
        // A label a line: formats differ in where they put the lines of one.
        double above = 11.0 + PanelGrid::kTitleLineHeight * static_cast<double>(titles_[index].size() - 1);
        for (std::size_t k = 0; k < titles_[index].size(); ++k) {
            text += fmt::format(
                "set label {} {} at screen {},{} center front noenhanced font ',{:.1f}' textcolor rgb '#111111'\n",
                1100 + k, gnuplot_string(titles_[index][k]), place.centre() / place.width,
                (place.top + above) / place.height, font_size(12, plot().format));
            above -= PanelGrid::kTitleLineHeight;
        }
        const Extents range = extents(index);
        const bool shared_ticks = shares_ranges();
        text += axis_ticks('x', range.x, grid.panel_width() / 55.0, !shared_ticks || grid.is_lowest_of_column(index));
        if (sets_y_ticks())
            text += axis_ticks('y', range.y, grid.panel_height() / 40.0, !shared_ticks || grid.is_first_of_row(index));
        return text;
    }

    static std::string axis_ticks(char axis, const AxisExtent& range, double about, bool labelled) {
        std::string text =
            fmt::format("set {0}range [{1}:{2}]\nset {0}tics (", axis, exact(range.low), exact(range.high));
        bool first = true;
        for (const double place : round_values(range.low, range.high, std::max(2, static_cast<int>(about)))) {
            text += fmt::format("{}'{}' {}", first ? "" : ", ", labelled ? short_number(place) : "", exact(place));
            first = false;
        }
        return text + ")\n";
    }

    const std::vector<MultiplesPanel>& panels_;
    const MultiplesOptions& options_;
    std::vector<std::vector<std::string>> titles_;
};

class PlaneMultiples : public Multiples {
public:
    PlaneMultiples(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options)
        : Multiples(panels, options), heatmap_(options.plot.kind == PlotKind::heatmap) {
        const bool log = options.plot.log || options.plot.kind == PlotKind::trajectory;
        for (const MultiplesPanel& one : panels) {
            const SplitSurface& split = chosen_split(*one.surface, one.split);
            splits_.push_back(split.name);
            values_.push_back(plane_values(*one.surface, split, log));
            low_ = std::fmin(low_, values_.back().low);
            high_ = std::fmax(high_, values_.back().high);
        }
        if (heatmap_) {
            scale_ = clip(values_, options.plot);
        } else {
            style_ = {contour_levels({options.plot.vmin, options.plot.vmax, options.plot.vlevel, log}, low_, high_),
                      log, options.plot.kind == PlotKind::filled};
        }
    }

protected:
    [[nodiscard]] PanelLayout layout() const override { return {}; }

    [[nodiscard]] Extents extents(std::size_t index) const override {
        const Surface& surface = *panel_at(index).surface;
        if (heatmap_) return {cell_extent(surface.x), cell_extent(surface.y)};
        return {{surface.x.front(), surface.x.back()}, {surface.y.front(), surface.y.back()}};
    }

    [[nodiscard]] std::vector<std::string> caption() const override {
        std::string first = value_label();
        const ScalarGrid& grid = values_[0].grid;
        const bool one_size = std::all_of(values_.begin(), values_.end(), [&](const PlaneValues& other) {
            return other.grid.x.size() == grid.x.size() && other.grid.y.size() == grid.y.size();
        });
        if (one_size) first += fmt::format(" at {} × {} points each", grid.x.size(), grid.y.size());
        first += std::isnan(low_) ? ", none with a value to draw"
                                  : fmt::format(", {} to {} in all", short_number(low_), short_number(high_));
        const std::string sampling = common_sampling();
        if (!sampling.empty()) first += "; " + sampling;
        std::vector<std::string> text{first};
        GapCounts gaps;
        for (const PlaneValues& values : values_)
            gaps += values.gaps;
        if (gaps.interpolated > 0) text.push_back(gaps.interpolation_text());
        if (gaps.any()) text.push_back(gaps.text() + " (grey)");
        const std::string& note = heatmap_ ? scale_.note : style_.levels.note;
        if (!note.empty()) text.push_back(note);
        return text;
    }

    [[nodiscard]] std::string shared(const Canvas& whole) const override {
        std::string text = horizontal_label(whole, options().labels.x);
        text += left_label(whole, options().labels.y, kInk);
        if (!heatmap_) return text + style_.legend(whole, value_label(), low_, high_);
        return text + continuous_palette() + colour_bar(whole, scale_.low, scale_.high, scale_.ticks, value_label());
    }

    [[nodiscard]] bool has_bar() const override { return heatmap_ || !style_.colours().empty(); }

    [[nodiscard]] std::string panel(const PanelGrid& grid, std::size_t index) override {
        const MultiplesPanel& one = panel_at(index);
        const PlaneValues& values = values_[index];
        const bool small = grid.panel_width() < kNarrowestLabelledPanel;
        std::string text;
        std::vector<std::string> elements;
        PathOverlay overlay;
        if (plot().kind == PlotKind::trajectory) overlay = path_overlay(*one.plane, *one.surface, splits_[index]);
        if (values.gaps.any()) text += gap_ground();
        if (options().labels.origin && overlay.elements.empty())
            text += origin_cross(extents(index).x, extents(index).y, small ? 0.8 : 1.1);
        if (heatmap_) {
            const ScalarGrid image = heatmap_image(values.grid, grid.panel_width());
            text += image_block("image", image, extents(index).x, extents(index).y);
            elements.push_back(image_plot("image"));
        } else {
            ContourDrawing drawing(values, style_, grid.panel_width(), grid.panel_height());
            if (!small) text += drawing.label(overlay.obstacles, {5.6, 10.5}, font_size(9, plot().format));
            text += drawing.blocks();
            elements = drawing.elements();
        }
        text += overlay.blocks;
        elements.insert(elements.end(), overlay.elements.begin(), overlay.elements.end());
        if (elements.empty()) elements.emplace_back("NaN notitle");
        return text + fmt::format("plot {}\n", fmt::join(elements, ", \\\n     "));
    }

private:
    /// What all panels say of their samples; "" where they differ.
    [[nodiscard]] std::string common_sampling() const {
        std::string common;
        for (std::size_t k = 0; k < count(); ++k) {
            const std::string note = sampling_note(chosen_split(*panel_at(k).surface, splits_[k]));
            if (k > 0 && note != common) return {};
            common = note;
        }
        return common;
    }

    [[nodiscard]] std::string value_label() const {
        if (!options().value_label.empty()) return options().value_label;
        const bool one_split = std::all_of(splits_.begin(), splits_.end(),
                                           [&](const std::string& name) { return name == splits_.front(); });
        return one_split ? splits_.front() + " loss" : "loss";
    }

    bool heatmap_;
    std::vector<std::string> splits_;
    std::vector<PlaneValues> values_;
    double low_ = std::numeric_limits<double>::quiet_NaN();
    double high_ = std::numeric_limits<double>::quiet_NaN();
    ClippedScale scale_;  ///< heatmap
    ContourStyle style_;  ///< the other kinds
};

class LineMultiples : public Multiples {
public:
    LineMultiples(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options)
        : Multiples(panels, options) {
        for (const MultiplesPanel& one : panels) {
            curves_.emplace_back(*one.surface, options.plot.log);
            low_ = std::fmin(low_, curves_.back().low());
            high_ = std::fmax(high_, curves_.back().high());
            has_accuracy_ = has_accuracy_ || curves_.back().has_accuracy();
        }
    }

protected:
    [[nodiscard]] PanelLayout layout() const override {
        PanelLayout wanted;
        wanted.aspect = kLineAspect;
        wanted.right_margin = has_accuracy_ ? 76.0 : 30.0;
        wanted.key_height = kKeyHeight;
        return wanted;
    }

    [[nodiscard]] bool sets_y_ticks() const override { return false; }

    [[nodiscard]] Extents extents(std::size_t index) const override {
        const std::vector<double>& x = panel_at(index).surface->x;
        const double pad = x.back() > x.front() ? 0.0 : 0.5;
        return {{x.front() - pad, x.back() + pad}, {}};
    }

    [[nodiscard]] std::vector<std::string> caption() const override {
        std::vector<std::string> text;
        for (std::size_t k = 0; k < count(); ++k) {
            for (const std::string& note : curves_[k].notes())
                text.push_back(joined_lines(panel_at(k).title) + ": " + note);
        }
        if (text.size() <= 3) return text;
        return {fmt::format("{}; other panels have notes, too", text.front())};
    }

    [[nodiscard]] std::string shared(const Canvas& whole) const override {
        std::string text = horizontal_label(whole, "alpha") + left_label(whole, "loss", kLossColour);
        text += "set grid xtics ytics lw 0.5 lc rgb '#e4e4e4' dashtype solid\n";
        if (has_accuracy_) {
            text += fmt::format(
                "set label 1013 'accuracy (%)' at screen {},{} center rotate by 90 front textcolor rgb '{}'\n"
                "set y2range [0:100]\n",
                (whole.width - 20.0) / whole.width, 0.5 * (whole.bottom + whole.top) / whole.height, kAccuracyColour);
        }
        Canvas under_title = whole;
        under_title.top = whole.height - 70.0;
        return text + key_above(under_title);
    }

    /// Curves of all panels, each once.
    [[nodiscard]] std::vector<std::string> key_entries() const override {
        std::vector<std::string> all;
        for (const LineCurves& curves : curves_) {
            for (const std::string& entry : curves.key_entries()) {
                if (std::find(all.begin(), all.end(), entry) == all.end()) all.push_back(entry);
            }
        }
        return all;
    }

    [[nodiscard]] std::string panel(const PanelGrid& grid, std::size_t index) override {
        std::string text = fmt::format("set ytics nomirror textcolor rgb '{}'\n", kLossColour);
        text += loss_axis(low_, high_, plot().log, grid.is_first_of_row(index));
        if (has_accuracy_) {
            text += fmt::format("set y2tics 50 textcolor rgb '{}'\nset format y2 '{}'\n", kAccuracyColour,
                                grid.is_last_of_row(index) ? "%.4g" : "");
        }
        text += curves_[index].blocks();
        return text + fmt::format("plot {}\n", fmt::join(curves_[index].elements(), ", \\\n     "));
    }

private:
    std::vector<LineCurves> curves_;
    double low_ = std::numeric_limits<double>::quiet_NaN();
    double high_ = std::numeric_limits<double>::quiet_NaN();
    bool has_accuracy_ = false;
};

void check(const std::vector<MultiplesPanel>& panels, const PlotOptions& options) {
    if (panels.empty() || panels.size() > kMostPanels) {
        throw InputError("a picture of {} panels; expected 1 to {}", panels.size(), kMostPanels);
    }
    if (options.kind == PlotKind::surface3d) throw InputError("small multiples of kind surface3d cannot be drawn");
    for (const MultiplesPanel& one : panels) {
        with_context(fmt::format("panel '{}'", one.title), [&] {
            check_kind(*one.surface, options.kind);
            if (options.kind == PlotKind::trajectory && one.plane == nullptr) {
                throw InputError("a trajectory picture needs a path");
            }
        });
    }
}

}  // namespace

std::string multiples_script(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options) {
    check(panels, options.plot);
    if (options.plot.kind == PlotKind::line) return LineMultiples(panels, options).script();
    return PlaneMultiples(panels, options).script();
}

void draw_multiples(const std::vector<MultiplesPanel>& panels, const MultiplesOptions& options,
                    const std::filesystem::path& file) {
    const std::string script = multiples_script(panels, options);
    const std::string picture =
        with_context(fmt::format("cannot draw {}", file.string()), [&] { return run_gnuplot(script); });
    write_file_atomically(file, picture);
}

}  // namespace lossmap
