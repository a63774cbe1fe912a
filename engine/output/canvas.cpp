#include "output/canvas.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "output/colour_map.hpp"
#include "output/contour_levels.hpp"
#include "output/gnuplot.hpp"
#include "output/text.hpp"

namespace lossmap {

namespace {

constexpr std::size_t kTitleLines = 2;
constexpr double kTitleCharacter = 9.4;  // mean width in pixels at the title's size
constexpr double kCaptionCharacter = 6.4;
constexpr std::size_t kSentenceLines = 3;
constexpr double kCaptionLineHeight = 15.0;
constexpr double kUnderCaption = 8.0;  // from the lowest line to the edge

/// Fonts, lines and points of the same size relative to the canvas in every format.
std::string terminal(const Canvas& canvas, PlotFormat format) {
    switch (format) {
        case PlotFormat::svg:
            return fmt::format(
                "set terminal svg noenhanced standalone size {},{} font 'DejaVu Sans,Verdana,sans-serif,13' "
                "background '#ffffff'\n",
                canvas.width, canvas.height);
        case PlotFormat::png:
            return fmt::format(
                "set terminal pngcairo noenhanced size {},{} font 'DejaVu Sans,10' fontscale 2 linewidth 2 "
                "pointscale 2 background '#ffffff'\n",
                2 * canvas.width, 2 * canvas.height);
        case PlotFormat::pdf: break;
    }
    return fmt::format(
        "set terminal pdfcairo noenhanced size {}in,{}in font 'DejaVu Sans,9.5' linewidth 1.4 "
        "background '#ffffff'\n",
        canvas.width / 100.0, canvas.height / 100.0);
}

/// Room for text centred under the plot area.
double text_width(const Canvas& canvas) {
    return 2.0 * std::fmin(canvas.centre(), canvas.width - canvas.centre()) - 30.0;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text += (text.empty() ? "" : "\n") + line;
    return text;
}

std::vector<std::string> caption_lines(const Canvas& canvas, const std::vector<std::string>& caption) {
    std::vector<std::string> lines;
    const auto width = static_cast<std::size_t>(text_width(canvas) / kCaptionCharacter);
    for (const std::string& sentence : caption) {
        for (const std::string& line : wrap_text(sentence, width, kSentenceLines))
            lines.push_back(line);
    }
    return lines;
}

}  // namespace

Canvas with_room_for(const std::vector<std::string>& caption, const Canvas& canvas) {
    Canvas taller = canvas;
    const std::size_t lines = std::min(caption_lines(canvas, caption).size(), kMostCaptionLines);
    if (lines <= canvas.caption_lines) return taller;
    const double more = kCaptionLineHeight * static_cast<double>(lines - canvas.caption_lines);
    taller.caption_lines = lines;
    taller.height += more;
    taller.bottom += more;
    taller.top += more;
    return taller;
}

std::string script_head(const Canvas& canvas, const PlotOptions& options, const std::string& title,
                        const std::vector<std::string>& caption) {
    std::string script = terminal(canvas, options.format);
    script += fmt::format("set encoding utf8\nset output '{}'\n", kGnuplotOutput);
    script += fmt::format(
        "set lmargin at screen {}\nset rmargin at screen {}\nset bmargin at screen {}\nset tmargin at screen {}\n",
        canvas.left / canvas.width, canvas.right / canvas.width, canvas.bottom / canvas.height,
        canvas.top / canvas.height);
    script += fmt::format("set border lw 0.8 lc rgb '{0}'\nset tics textcolor rgb '{0}'\n", kInk);
    const auto title_width = static_cast<std::size_t>(text_width(canvas) / kTitleCharacter);
    const std::vector<std::string> lines = wrap_text(title, title_width, kTitleLines);
    // A label, not `set title`: its place does not depend on the number of lines or on the kind of plot.
    script += fmt::format(
        "set label 1001 {} at screen {},{} center front noenhanced font ',{}' textcolor rgb '#111111'\n",
        gnuplot_string(joined(lines)), canvas.centre() / canvas.width,
        1.0 - (lines.size() > 1 ? 21.0 : 32.0) / canvas.height, options.format == PlotFormat::svg ? 16 : 12);
    std::vector<std::string> under = caption_lines(canvas, caption);
    if (under.size() > canvas.caption_lines) {
        under.resize(canvas.caption_lines);
        under.back() += " …";
    }
    double y = kUnderCaption + kCaptionLineHeight * static_cast<double>(canvas.caption_lines - 1);
    int tag = 1002;
    for (const std::string& line : under) {
        script += fmt::format("set label {} {} at screen {},{} center front noenhanced font ',{}' textcolor rgb '{}'\n",
                              tag++, gnuplot_string(line), canvas.centre() / canvas.width, y / canvas.height,
                              options.format == PlotFormat::svg ? 11 : 8.5, kFaintInk);
        y -= kCaptionLineHeight;
    }
    return script;
}

std::string horizontal_label(const Canvas& canvas, const std::string& text) {
    return fmt::format("set label 1011 {} at screen {},{} center front noenhanced textcolor rgb '{}'\n",
                       gnuplot_string(text), canvas.centre() / canvas.width, (canvas.bottom - 45.0) / canvas.height,
                       kInk);
}

std::string key_above(const Canvas& canvas) {
    return fmt::format(
        "set key at screen {},{} center bottom horizontal maxrows 1 Left reverse samplen 2.6 noenhanced textcolor "
        "rgb '{}'\n",
        canvas.centre() / canvas.width, (canvas.top + 8.0) / canvas.height, kInk);
}

std::string colour_bar(const Canvas& canvas, double low, double high, const std::vector<ColourTick>& ticks,
                       const std::string& label) {
    std::string script;
    script += fmt::format("set cbrange [{}:{}]\n", exact(low), exact(high));
    script += fmt::format("set colorbox vertical user origin screen {},{} size screen {},{}\n",
                          (canvas.right + 26.0) / canvas.width, canvas.bottom / canvas.height, 20.0 / canvas.width,
                          canvas.plot_height() / canvas.height);
    script += "set cbtics scale 0.5 (";
    for (std::size_t i = 0; i < ticks.size(); ++i) {
        script += fmt::format("{}{} {}", i == 0 ? "" : ", ", gnuplot_string(ticks[i].text), exact(ticks[i].place));
    }
    script += ")\n";
    // A label of its own: gnuplot's cblabel moves with the width of the ticks.
    script += fmt::format("set label 1010 {} at screen {},{} center rotate by 90 front noenhanced textcolor rgb '{}'\n",
                          gnuplot_string(label), (canvas.width - 20.0) / canvas.width,
                          (0.5 * (canvas.bottom + canvas.top)) / canvas.height, kInk);
    return script;
}

std::vector<ColourTick> scale_ticks(double low, double high, bool log) {
    std::vector<ColourTick> ticks;
    const std::vector<double> values = log ? round_log_values(low, high) : round_values(low, high, 8);
    for (const double value : values)
        ticks.push_back({log ? std::log10(value) : value, short_number(value)});
    return ticks;
}

std::string short_number(double value) { return fmt::format("{:.4g}", value); }

std::string data_block(const std::string& name, const std::string& rows) {
    return fmt::format("${} << END_OF_DATA\n{}END_OF_DATA\n", name, rows);
}

std::string exact(double value) { return std::isnan(value) ? "NaN" : fmt::format("{:.17g}", value); }

std::vector<std::string> plane_caption(const Surface& surface, const SplitSurface& split, const PlaneValues& values) {
    std::string first = fmt::format("{} loss at {} × {} points", split.name, surface.x.size(), surface.y.size());
    if (values.low < values.high)
        first += fmt::format(", {} to {}", short_number(values.low), short_number(values.high));
    if (values.low == values.high) first += fmt::format(", {} everywhere", short_number(values.low));
    if (std::isnan(values.low)) first += ", none with a value to draw";
    if (split.is_drawn()) first += "; " + sampling_note(split);
    std::vector<std::string> caption{first};
    if (values.gaps.interpolated > 0) caption.push_back(values.gaps.interpolation_text());
    if (values.gaps.any()) caption.push_back(values.gaps.text() + " (grey)");
    return caption;
}

}  // namespace lossmap
