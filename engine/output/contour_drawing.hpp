#pragma once

#include <string>
#include <vector>

#include "output/canvas.hpp"
#include "output/colour_map.hpp"
#include "output/contour_labels.hpp"
#include "output/contour_levels.hpp"
#include "output/plane_values.hpp"

namespace lossmap {

/// Levels and their colours: the same for all planes on one scale.
struct ContourStyle {
    ContourLevels levels;  ///< losses
    bool log = false;      ///< the planes' values are decimal logarithms
    bool filled = false;   ///< bands between the levels instead of coloured lines

    /// A loss as a plane holds it.
    [[nodiscard]] double drawn(double loss) const;
    /// Colours of the bands below, between and above the levels, or, for lines, of the levels.
    [[nodiscard]] std::vector<Colour> colours() const;
    /// Palette and colour bar, for values from low to high. Without any colour there is no bar.
    [[nodiscard]] std::string legend(const Canvas& canvas, const std::string& label, double low, double high) const;
};

/// Contour lines, bands and labels of one plane in a plot area of width x height nominal pixels. Both axes need two
/// points.
class ContourDrawing {
public:
    ContourDrawing(const PlaneValues& values, const ContourStyle& style, double width, double height);

    /// Puts labels on the lines where there is room and none of `obstacles` (places in the plane), and takes the line
    /// under each away. `font_size` in points; the result is commands for the labels.
    [[nodiscard]] std::string label(const std::vector<PlanePoint>& obstacles, const LabelMetrics& metrics,
                                    double font_size);
    /// Data blocks `$ground` and `$lines`, those of them that there is something for.
    [[nodiscard]] std::string blocks() const;
    /// The plot elements that draw them.
    [[nodiscard]] std::vector<std::string> elements() const;
    /// Whether the plane's axes hold the origin, which is marked then.
    [[nodiscard]] bool has_origin() const;

private:
    [[nodiscard]] PlanePoint to_pixels(const PlanePoint& point) const;
    [[nodiscard]] PlanePoint to_plane(const PlanePoint& pixels) const;
    void trace();
    [[nodiscard]] ScalarGrid banded() const;
    [[nodiscard]] ScalarGrid gap_map() const;
    [[nodiscard]] std::string rows_of_lines() const;

    const ContourStyle& style_;
    double width_;
    double height_;
    bool has_gaps_;
    ScalarGrid fine_;
    std::vector<LevelLines> lines_;
};

}  // namespace lossmap
