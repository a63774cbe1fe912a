#include "output/line_curves.hpp"

#include <array>
#include <cmath>

#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/gnuplot.hpp"
#include "output/plane_values.hpp"

namespace lossmap {

namespace {

/// Solid, dashed as in the reference implementation; further splits get patterns of their own.
constexpr std::array<const char*, 4> kDashes{"solid", "(10,6)", "(2,5)", "(12,5,2,5)"};

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

/// Where the loss is NaN, the accuracy only says that NaN is no class: a gap, too.
std::vector<double> drawn_accuracy(const SplitSurface& split) {
    std::vector<double> values(split.accuracy.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = split.shown_accuracy(i);
        if (!std::isfinite(values[i]) || std::isnan(split.shown_loss(i)))
            values[i] = std::numeric_limits<double>::quiet_NaN();
    }
    return values;
}

}  // namespace

LineCurves::LineCurves(const Surface& surface, bool log) : surface_(surface), log_(log) {
    if (surface.splits.empty()) throw InputError("the surface holds no split to draw");
    for (std::size_t i = 0; i < surface.splits.size(); ++i)
        add_split(surface.splits[i], i);
}

std::vector<std::string> LineCurves::elements() const {
    std::vector<std::string> result;
    for (const std::string& band : bands_) {
        result.push_back(fmt::format(
            "${} using 1:2:3 axes x1y1 with filledcurves fs transparent solid 0.18 noborder lc rgb '{}' notitle", band,
            kLossColour));
    }
    for (const Curve& curve : curves_) {
        const char* axis = curve.second_axis ? "x1y2" : "x1y1";
        result.push_back(fmt::format("${} using 1:2 axes {} with lines lw 2 lc rgb '{}' dashtype {} title {}",
                                     curve.block, axis, curve.colour, curve.dash, gnuplot_string(curve.title)));
        if (!curve.has_lone_points) continue;
        result.push_back(fmt::format("${}_points using 1:2 axes {} with points pt 7 ps 0.5 lc rgb '{}' notitle",
                                     curve.block, axis, curve.colour));
    }
    return result;
}

std::vector<std::string> LineCurves::key_entries() const {
    std::vector<std::string> result;
    for (const Curve& curve : curves_)
        result.push_back(fmt::format("keyentry with lines lw 2 lc rgb '{}' dashtype {} title {}", curve.colour,
                                     curve.dash, gnuplot_string(curve.title)));
    return result;
}

void LineCurves::add_split(const SplitSurface& split, std::size_t index) {
    const std::size_t count = surface_.point_count();
    if (split.loss.size() != count || split.done.size() != count ||
        (split.has_accuracy && split.accuracy.size() != count)) {
        throw InputError("split '{}' does not have one value for each of {} points", split.name, count);
    }
    GapCounts gaps;
    std::vector<double> loss(count);
    for (std::size_t i = 0; i < count; ++i) {
        loss[i] = drawn_loss(split, i, log_, gaps);
        low_ = std::fmin(low_, loss[i]);
        high_ = std::fmax(high_, loss[i]);
    }
    const bool several = surface_.splits.size() > 1;
    for (const std::string& note : {gaps.interpolation_text(), gaps.text()}) {
        if (!note.empty()) notes_.push_back((several ? split.name + " loss: " : "loss: ") + note);
    }
    if (split.is_drawn()) add_band(split, index, loss);
    add_curve(loss, {fmt::format("loss_{}", index), split.name + " loss", kLossColour, kDashes[dash_of(split, index)],
                     false});
    if (!split.has_accuracy) return;
    has_accuracy_ = true;
    add_curve(drawn_accuracy(split), {fmt::format("accuracy_{}", index), split.name + " accuracy", kAccuracyColour,
                                      kDashes[dash_of(split, index)], true});
}

void LineCurves::add_band(const SplitSurface& split, std::size_t index, const std::vector<double>& loss) {
    std::string rows;
    for (std::size_t i = 0; i < loss.size(); ++i) {
        const double half = confidence_half_width(split, i);
        if (std::isnan(loss[i]) || std::isnan(half)) {
            rows += "\n";
            continue;
        }
        // A logarithmic axis ends above zero: what reaches below is cut off at its end.
        const double bottom = log_ ? std::fmax(loss[i] - half, std::numeric_limits<double>::min()) : loss[i] - half;
        rows += fmt::format("{} {} {}\n", exact(surface_.x[i]), exact(bottom), exact(loss[i] + half));
        high_ = std::fmax(high_, loss[i] + half);
        if (!log_) low_ = std::fmin(low_, loss[i] - half);
    }
    const std::string name = surface_.splits.size() > 1 ? split.name + ": " : "";
    if (rows.find_first_not_of('\n') == std::string::npos) {
        notes_.push_back(name + sampling_note(split));
        return;
    }
    notes_.push_back(name + sampling_note(split) + "; band: 95 % confidence");
    bands_.push_back(fmt::format("band_{}", index));
    blocks_ += data_block(bands_.back(), rows);
}

void LineCurves::add_curve(const std::vector<double>& values, Curve curve) {
    const std::string lone = lone_points(surface_.x, values);
    curve.has_lone_points = !lone.empty();
    const std::string rows = rows_of(surface_.x, values);
    // A block without any row cannot be plotted; the curve still belongs into the legend.
    const bool empty = rows.find_first_not_of('\n') == std::string::npos;
    blocks_ += data_block(curve.block, empty ? "NaN NaN\n" : rows);
    if (curve.has_lone_points) blocks_ += data_block(curve.block + "_points", lone);
    curves_.push_back(std::move(curve));
}

std::string loss_axis(double low, double high, bool log, bool labelled) {
    const char* format = labelled ? "%.4g" : "";
    if (std::isnan(low)) return fmt::format("set yrange [0:1]\nset format y '{}'\n", format);
    if (log) {
        const double pad = std::pow(high / low, 0.05) + (high > low ? 0.0 : 0.1);
        std::string text = fmt::format("set logscale y\nset yrange [{}:{}]\n", exact(low / pad), exact(high * pad));
        text += "set ytics (";
        bool first = true;
        for (const ColourTick& tick : scale_ticks(low / pad, high * pad, true)) {
            text += fmt::format("{}'{}' {}", first ? "" : ", ", labelled ? tick.text : "",
                                exact(std::pow(10.0, tick.place)));
            first = false;
        }
        return text + ")\n";
    }
    const double span = high > low ? high - low : std::fmax(std::abs(high), 1.0) * 0.2;
    // Losses start at zero unless they are far from it: then a line would be flat.
    const double bottom = low >= 0.0 && low < span ? 0.0 : low - 0.05 * span;
    return fmt::format("set yrange [{}:{}]\nset format y '{}'\n", exact(bottom), exact(high + 0.05 * span), format);
}

}  // namespace lossmap
