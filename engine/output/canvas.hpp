#pragma once

#include <string>
#include <vector>

#include "output/plane_values.hpp"
#include "output/plot.hpp"

namespace lossmap {

/// Size of a picture in nominal pixels (SVG: pixels; PNG: two each way; PDF: 1/100 inch) and where its plot area lies.
struct Canvas {
    double width = 0.0;
    double height = 0.0;
    double left = 0.0;              ///< of the plot area, in pixels from the left edge
    double right = 0.0;             ///< likewise, from the left edge
    double bottom = 0.0;            ///< in pixels from the lower edge
    double top = 0.0;               ///< likewise, from the lower edge
    std::size_t caption_lines = 3;  ///< that have room between axis label and lower edge

    [[nodiscard]] double centre() const { return 0.5 * (left + right); }
    [[nodiscard]] double plot_width() const { return right - left; }
    [[nodiscard]] double plot_height() const { return top - bottom; }
};

/// A wide picture for lines; a square plot area with room for a colour bar for planes.
inline constexpr Canvas kLineCanvas{900, 564, 84, 812, 98, 478};
inline constexpr Canvas kPlaneCanvas{840, 748, 92, 672, 108, 688};

/// Ink of axes and text, and the grey of gaps.
inline constexpr const char* kInk = "#333333";
inline constexpr const char* kFaintInk = "#666666";
inline constexpr const char* kGapGrey = "#d4d4d4";
inline constexpr double kGapGreyLevel = 0xd4;

/// The canvas, taller where the caption has more lines than the room under its axes: as many as it has, up to
/// kMostCaptionLines in all.
inline constexpr std::size_t kMostCaptionLines = 10;
[[nodiscard]] Canvas with_room_for(const std::vector<std::string>& caption, const Canvas& canvas);

/// Terminal, output file, fonts, margins, title and the caption lines under the axes: those that the canvas has room
/// for, the last one with an ellipsis when there are more. A sentence takes up to three lines.
[[nodiscard]] std::string script_head(const Canvas& canvas, const PlotOptions& options, const std::string& title,
                                      const std::vector<std::string>& caption);

/// Label of the horizontal axis. gnuplot's own xlabel stands at a different place in each format.
[[nodiscard]] std::string horizontal_label(const Canvas& canvas, const std::string& text);

/// Legend of curves in one row above the plot area, where no curve can hide it.
[[nodiscard]] std::string key_above(const Canvas& canvas);

/// Colour bar at the right of the plot area with ticks at given places. The palette has `bands` even bands, or is
/// continuous for 0.
struct ColourTick {
    double place = 0.0;
    std::string text;
};
[[nodiscard]] std::string colour_bar(const Canvas& canvas, double low, double high,
                                     const std::vector<ColourTick>& ticks, const std::string& label);

/// Ticks of a loss scale from low to high; places are decimal logarithms when `log` (low and high are the losses).
[[nodiscard]] std::vector<ColourTick> scale_ticks(double low, double high, bool log);

/// "0.25", "1e+05"
[[nodiscard]] std::string short_number(double value);

/// Named data of a script: `$name << END ... END`.
[[nodiscard]] std::string data_block(const std::string& name, const std::string& rows);

/// A value of a data row: 17 significant digits, NaN as gnuplot's gap.
[[nodiscard]] std::string exact(double value);

/// "train loss at 51 × 51 points, 0.012 to 9.8", and a line on gaps when there are some.
[[nodiscard]] std::vector<std::string> plane_caption(const Surface& surface, const SplitSurface& split,
                                                     const PlaneValues& values);

}  // namespace lossmap
