#include "output/curves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "output/canvas.hpp"
#include "output/gnuplot.hpp"
#include "output/text.hpp"

namespace lossmap {

namespace {

/// Okabe and Ito's palette, which stays apart for colour-blind eyes; a dark brown for its yellow, which is faint on
/// white.
constexpr std::array<const char*, kCurveColours> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                          "#e69f00", "#56b4e9", "#333333", "#7a4a1e"};
constexpr std::array<const char*, 4> kDashes{"solid", "(10,6)", "(2,5)", "(12,5,2,5)"};
constexpr double kLegendCharacter = 8.4;  // mean width in pixels
constexpr double kLegendSample = 64.0;    // line and space of an entry
constexpr double kLegendRow = 18.0;
constexpr std::size_t kMostLegendRows = 24;

const char* colour_of(std::size_t group) { return kColours[group % kColours.size()]; }

struct Range {
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();

    void take(double value) {
        if (!std::isfinite(value)) return;
        low = std::fmin(low, value);
        high = std::fmax(high, value);
    }
    [[nodiscard]] bool empty() const { return std::isnan(low); }
};

/// Room for what is drawn; from zero unless the values are far from it: then curves would be flat.
std::string vertical_range(const char* axis, const Range& range) {
    if (range.empty()) return fmt::format("set {}range [0:1]\n", axis);
    const double span = range.high > range.low ? range.high - range.low : std::fmax(std::abs(range.high), 1.0) * 0.2;
    const double bottom = range.low >= 0.0 && range.low < span ? 0.0 : range.low - 0.05 * span;
    return fmt::format("set {0}range [{1}:{2}]\nset format {0} '%.4g'\n", axis, exact(bottom),
                       exact(range.high + 0.05 * span));
}

class CurvesPicture {
public:
    CurvesPicture(const CurvesFigure& figure, PlotFormat format) : figure_(figure) {
        options_.format = format;
        for (std::size_t k = 0; k < figure.bands.size(); ++k)
            add_band(figure.bands[k], k);
        // What is one of many lies behind what sums them up.
        for (const bool faint : {true, false}) {
            for (std::size_t k = 0; k < figure.curves.size(); ++k) {
                if (figure.curves[k].faint == faint) add_curve(figure.curves[k], k);
            }
        }
        if (x_range_.empty()) throw InputError("figure '{}' has no point to draw", figure.name);
    }

    [[nodiscard]] std::string script() const {
        std::vector<std::string> caption = figure_.notes;
        if (gaps_ > 0) caption.push_back(fmt::format("{} of {} points are not finite: gaps", gaps_, points_));
        if (legend_rows() > kMostLegendRows)
            caption.push_back(fmt::format("{} curves are too many for a legend", legend_names_.size()));
        Canvas canvas = kLineCanvas;
        if (has_legend()) canvas.height += kLegendRow * static_cast<double>(legend_rows() - 1);
        if (!has_second_axis_) canvas.right = canvas.width - canvas.left * 0.5;
        canvas = with_room_for(caption, canvas);
        std::string text = blocks_ + script_head(canvas, options_, figure_.title, caption);
        text += axes(canvas);
        text += legend(canvas);
        text += "plot ";
        for (std::size_t k = 0; k < elements_.size(); ++k)
            text += (k == 0 ? "" : ", \\\n     ") + elements_[k];
        return text + "\n";
    }

private:
    [[nodiscard]] const char* axes_of(bool second) const { return second ? "x1y2" : "x1y1"; }

    void take(double x, double y, bool second) {
        x_range_.take(x);
        (second ? second_ : first_).take(y);
    }

    [[nodiscard]] std::string title_of(const Curve& curve) { return title_of(curve.unlisted ? "" : curve.name); }

    [[nodiscard]] std::string title_of(const std::string& name) {
        if (name.empty()) return "notitle";
        legend_names_.push_back(name);
        return "title " + gnuplot_string(name);
    }

    void add_band(const Band& band, std::size_t index) {
        if (band.low.size() != band.x.size() || band.high.size() != band.x.size())
            throw InputError("figure '{}': band '{}' is not as long as its axis", figure_.name, band.name);
        std::string rows;
        for (std::size_t i = 0; i < band.x.size(); ++i) {
            if (!std::isfinite(band.low[i]) || !std::isfinite(band.high[i])) {
                rows += "\n";
                continue;
            }
            rows += fmt::format("{} {} {}\n", exact(band.x[i]), exact(band.low[i]), exact(band.high[i]));
            take(band.x[i], band.low[i], band.on_second_axis);
            take(band.x[i], band.high[i], band.on_second_axis);
        }
        if (rows.find_first_not_of('\n') == std::string::npos) return;
        blocks_ += data_block(fmt::format("band_{}", index), rows);
        elements_.push_back(
            fmt::format("$band_{} using 1:2:3 axes {} with filledcurves fillcolor rgb '{}' fillstyle transparent solid "
                        "0.22 noborder {}",
                        index, axes_of(band.on_second_axis), colour_of(band.group), title_of(band.name)));
    }

    void add_curve(const Curve& curve, std::size_t index) {
        if (curve.y.size() != curve.x.size())
            throw InputError("figure '{}': curve '{}' is not as long as its axis", figure_.name, curve.name);
        has_second_axis_ = has_second_axis_ || curve.on_second_axis;
        (curve.on_second_axis ? second_group_ : first_group_) = curve.group;
        const auto drawn = [&](std::size_t i) { return i < curve.y.size() && std::isfinite(curve.y[i]); };
        std::string rows;
        std::string lone;  // points without a neighbour: a line would not show them
        bool has_line = false;
        for (std::size_t i = 0; i < curve.x.size(); ++i) {
            ++points_;
            x_range_.take(curve.x[i]);
            if (!drawn(i)) {
                ++gaps_;
                rows += "\n";  // keeps gnuplot from joining both sides
                continue;
            }
            const std::string row = fmt::format("{} {}\n", exact(curve.x[i]), exact(curve.y[i]));
            rows += row;
            const bool is_lone = !drawn(i + 1) && (i == 0 || !drawn(i - 1));
            if (is_lone) lone += row;
            has_line = has_line || !is_lone;
            take(curve.x[i], curve.y[i], curve.on_second_axis);
        }
        // A block without any row cannot be plotted; the curve still belongs into the legend.
        if (rows.find_first_not_of('\n') == std::string::npos) rows = "NaN NaN\n";
        blocks_ += data_block(fmt::format("curve_{}", index), rows);
        const std::string style =
            fmt::format("lw {} lc rgb '{}{}' dashtype {}", curve.faint ? 0.8 : 2.0, curve.faint ? "#90" : "#",
                        colour_of(curve.group) + 1, kDashes[curve.dash % kDashes.size()]);
        if (!lone.empty() && !has_line) {  // filled for what would be solid, open for what would be dashed
            elements_.push_back(fmt::format(
                "$curve_{} using 1:2 axes {} with points pt {} ps 0.9 lw 1.5 lc rgb '{}' {}", index,
                axes_of(curve.on_second_axis), curve.dash == 0 ? 7 : 6, colour_of(curve.group), title_of(curve)));
            return;
        }
        elements_.push_back(fmt::format("$curve_{} using 1:2 axes {} with lines {} {}", index,
                                        axes_of(curve.on_second_axis), style, title_of(curve)));
        if (lone.empty()) return;
        blocks_ += data_block(fmt::format("points_{}", index), lone);
        elements_.push_back(fmt::format("$points_{} using 1:2 axes {} with points pt 7 ps 0.5 lc rgb '{}' notitle",
                                        index, axes_of(curve.on_second_axis), colour_of(curve.group)));
    }

    [[nodiscard]] std::size_t legend_columns() const {
        std::size_t longest = 1;
        for (const std::string& name : legend_names_)
            longest = std::max(longest, name.size());
        const double width = kLegendSample + kLegendCharacter * static_cast<double>(longest);
        // gnuplot gives a legend no more columns than fit the plot area.
        return std::max(std::size_t{1}, static_cast<std::size_t>(kLineCanvas.plot_width() / width));
    }

    [[nodiscard]] std::size_t legend_rows() const {
        const std::size_t columns = legend_columns();
        return (legend_names_.size() + columns - 1) / columns;
    }

    [[nodiscard]] bool has_legend() const { return legend_names_.size() > 1 && legend_rows() <= kMostLegendRows; }

    /// Above the plot area, where no curve can hide it.
    [[nodiscard]] std::string legend(const Canvas& canvas) const {
        if (!has_legend()) return "set key off\n";
        return fmt::format(
            "set key at screen {},{} center bottom horizontal maxrows {} Left reverse samplen 2.6 noenhanced textcolor "
            "rgb '{}'\n",
            0.5, (canvas.top + 8.0) / canvas.height, legend_rows(), kInk);
    }

    [[nodiscard]] std::string axes(const Canvas& canvas) const {
        const double pad = x_range_.high > x_range_.low ? 0.0 : 0.5;
        std::string text = fmt::format("set xrange [{}:{}]\n", exact(x_range_.low - pad), exact(x_range_.high + pad));
        text += horizontal_label(canvas, figure_.x_label);
        text += "set grid xtics ytics lw 0.5 lc rgb '#e4e4e4' dashtype solid\n";
        const char* first = has_second_axis_ ? colour_of(first_group_) : kInk;
        text += fmt::format("set ylabel {0} noenhanced textcolor rgb '{1}'\nset ytics textcolor rgb '{1}'\n",
                            gnuplot_string(figure_.y_label), first);
        text += vertical_range("y", first_);
        if (!has_second_axis_) return text;
        text += fmt::format(
            "set ytics nomirror\nset y2label {0} noenhanced textcolor rgb '{1}'\nset y2tics textcolor rgb '{1}'\n",
            gnuplot_string(figure_.y2_label), colour_of(second_group_));
        return text + vertical_range("y2", second_);
    }

    const CurvesFigure& figure_;
    PlotOptions options_;
    std::string blocks_;
    std::vector<std::string> elements_;
    std::vector<std::string> legend_names_;
    Range x_range_;
    Range first_;
    Range second_;
    bool has_second_axis_ = false;
    std::size_t first_group_ = 0;
    std::size_t second_group_ = 1;
    std::size_t gaps_ = 0;
    std::size_t points_ = 0;
};

}  // namespace

std::size_t dash_of_split(const std::string& split, std::size_t index) {
    if (split == "train") return 0;
    if (split == "test") return 1;
    return index % kDashes.size();
}

std::string curves_script(const CurvesFigure& figure, PlotFormat format) {
    return CurvesPicture(figure, format).script();
}

void draw_curves(const CurvesFigure& figure, PlotFormat format, const std::filesystem::path& file) {
    write_file_atomically(file, run_gnuplot(curves_script(figure, format)));
}

}  // namespace lossmap
