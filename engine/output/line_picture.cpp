#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/contour_levels.hpp"
#include "output/gnuplot.hpp"
#include "output/picture.hpp"

namespace lossmap {

namespace {

constexpr const char* kLossColour = "#1f4fd8";
constexpr const char* kAccuracyColour = "#d62728";
/// Solid, dashed as in the reference implementation; further splits get patterns of their own.
constexpr std::array<const char*, 4> kDashes{"solid", "(10,6)", "(2,5)", "(12,5,2,5)"};

struct Curve {
    std::string block;
    std::string title;
    const char* colour;
    const char* dash;
    bool second_axis;
    bool has_lone_points = false;
};

/// Train is solid and test dashed wherever they stand in the list.
std::size_t dash_of(const SplitSurface& split, std::size_t index) {
    if (split.name == "train") return 0;
    if (split.name == "test") return 1;
    return index % kDashes.size();
}

/// Points without a neighbour that has a value: a line would not show them.
std::string lone_points(const std::vector<double>& x, const std::vector<double>& values) {
    std::string rows;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const bool before = i > 0 && !std::isnan(values[i - 1]);
        const bool after = i + 1 < values.size() && !std::isnan(values[i + 1]);
        if (!std::isnan(values[i]) && !before && !after) rows += fmt::format("{} {}\n", exact(x[i]), exact(values[i]));
    }
    return rows;
}

std::string rows_of(const std::vector<double>& x, const std::vector<double>& values) {
    std::string rows;
    // An empty line, not only NaN, keeps gnuplot from joining both sides of a gap.
    for (std::size_t i = 0; i < values.size(); ++i) {
        rows += std::isnan(values[i]) ? "\n" : fmt::format("{} {}\n", exact(x[i]), exact(values[i]));
    }
    return rows;
}

std::vector<double> drawn_accuracy(const SplitSurface& split) {
    std::vector<double> values(split.accuracy);
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (split.done[i] == 0 || !std::isfinite(values[i])) values[i] = std::numeric_limits<double>::quiet_NaN();
    }
    return values;
}

class LinePicture {
public:
    LinePicture(const Surface& surface, const PlotOptions& options) : surface_(surface), options_(options) {
        if (surface.splits.empty()) throw InputError("the surface holds no split to draw");
        for (std::size_t i = 0; i < surface.splits.size(); ++i)
            add_split(surface.splits[i], i);
    }

    std::string script() const {
        const std::string title = options_.title.empty() ? "Loss along a line" : options_.title;
        std::string text = blocks_ + script_head(kLineCanvas, options_, title, caption_);
        text += axes();
        text += "plot ";
        bool first = true;
        for (const Curve& curve : curves_) {
            const char* axis = curve.second_axis ? "x1y2" : "x1y1";
            text += fmt::format("{}${} using 1:2 axes {} with lines lw 2 lc rgb '{}' dashtype {} title {}",
                                first ? "" : ", \\\n     ", curve.block, axis, curve.colour, curve.dash,
                                gnuplot_string(curve.title));
            first = false;
            if (!curve.has_lone_points) continue;
            text += fmt::format(", \\\n     ${}_points using 1:2 axes {} with points pt 7 ps 0.5 lc rgb '{}' notitle",
                                curve.block, axis, curve.colour);
        }
        return text + "\n";
    }

private:
    void add_split(const SplitSurface& split, std::size_t index) {
        const std::size_t count = surface_.point_count();
        if (split.loss.size() != count || split.done.size() != count ||
            (split.has_accuracy && split.accuracy.size() != count)) {
            throw InputError("split '{}' does not have one value for each of {} points", split.name, count);
        }
        GapCounts gaps;
        std::vector<double> loss(count);
        for (std::size_t i = 0; i < count; ++i) {
            loss[i] = drawn_loss(split, i, options_.log, gaps);
            low_ = std::fmin(low_, loss[i]);
            high_ = std::fmax(high_, loss[i]);
        }
        if (gaps.any()) {
            const bool several = surface_.splits.size() > 1;
            caption_.push_back((several ? split.name + " loss: " : "loss: ") + gaps.text());
        }
        add_curve(loss, {fmt::format("loss_{}", index), split.name + " loss", kLossColour,
                         kDashes[dash_of(split, index)], false});
        if (!split.has_accuracy) return;
        has_accuracy_ = true;
        add_curve(drawn_accuracy(split), {fmt::format("accuracy_{}", index), split.name + " accuracy", kAccuracyColour,
                                          kDashes[dash_of(split, index)], true});
    }

    void add_curve(const std::vector<double>& values, Curve curve) {
        const std::string lone = lone_points(surface_.x, values);
        curve.has_lone_points = !lone.empty();
        const std::string rows = rows_of(surface_.x, values);
        // A block without any row cannot be plotted; the curve still belongs into the legend.
        const bool empty = rows.find_first_not_of('\n') == std::string::npos;
        blocks_ += data_block(curve.block, empty ? "NaN NaN\n" : rows);
        if (curve.has_lone_points) blocks_ += data_block(curve.block + "_points", lone);
        curves_.push_back(std::move(curve));
    }

    std::string axes() const {
        const double first = surface_.x.front();
        const double last = surface_.x.back();
        const double pad = last > first ? 0.0 : 0.5;
        std::string text = fmt::format("set xrange [{}:{}]\n", exact(first - pad), exact(last + pad));
        text += horizontal_label(kLineCanvas, "alpha");
        text += "set grid xtics ytics lw 0.5 lc rgb '#e4e4e4' dashtype solid\n";
        text +=
            fmt::format("set ylabel 'loss' textcolor rgb '{0}'\nset ytics nomirror textcolor rgb '{0}'\n", kLossColour);
        text += loss_range();
        if (has_accuracy_) {
            text += fmt::format(
                "set y2label 'accuracy (%)' textcolor rgb '{0}'\nset y2range [0:100]\nset y2tics 20 textcolor rgb "
                "'{0}'\n",
                kAccuracyColour);
        } else {
            text += "set ytics mirror\n";
        }
        // Above the plot area, where no curve can hide it.
        text += fmt::format(
            "set key at screen {},{} center bottom horizontal maxrows 1 Left reverse samplen 2.6 noenhanced textcolor "
            "rgb '{}'\n",
            kLineCanvas.centre() / kLineCanvas.width, (kLineCanvas.top + 8.0) / kLineCanvas.height, kInk);
        return text;
    }

    std::string loss_range() const {
        if (std::isnan(low_)) return "set yrange [0:1]\n";
        if (options_.log) {
            const double pad = std::pow(high_ / low_, 0.05) + (high_ > low_ ? 0.0 : 0.1);
            std::string text =
                fmt::format("set logscale y\nset yrange [{}:{}]\n", exact(low_ / pad), exact(high_ * pad));
            text += "set ytics (";
            bool first = true;
            for (const ColourTick& tick : scale_ticks(low_ / pad, high_ * pad, true)) {
                text += fmt::format("{}'{}' {}", first ? "" : ", ", tick.text, exact(std::pow(10.0, tick.place)));
                first = false;
            }
            return text + ")\n";
        }
        const double span = high_ > low_ ? high_ - low_ : std::fmax(std::abs(high_), 1.0) * 0.2;
        // Losses start at zero unless they are far from it: then a line would be flat.
        const double bottom = low_ >= 0.0 && low_ < span ? 0.0 : low_ - 0.05 * span;
        return fmt::format("set yrange [{}:{}]\nset format y '%.4g'\n", exact(bottom), exact(high_ + 0.05 * span));
    }

    const Surface& surface_;
    const PlotOptions& options_;
    std::string blocks_;
    std::vector<Curve> curves_;
    std::vector<std::string> caption_;
    double low_ = std::numeric_limits<double>::quiet_NaN();
    double high_ = std::numeric_limits<double>::quiet_NaN();
    bool has_accuracy_ = false;
};

}  // namespace

std::string line_script(const Surface& surface, const PlotOptions& options) {
    return LinePicture(surface, options).script();
}

}  // namespace lossmap
