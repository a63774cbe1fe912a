#include "output/contour_drawing.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "output/plane_axes.hpp"

namespace lossmap {

namespace {

/// Lines and bands come from one interpolation onto a grid of about this many points a nominal pixel, so that they fit
/// each other.
constexpr double kFinePointsPerPixel = 0.725;
constexpr std::size_t kFewestFinePoints = 160;
constexpr double kTolerance = 0.15;  // pixels a simplified line may be off
constexpr std::size_t kMostBarTicks = 26;
/// The bright end of the colour map is hard to see as a thin line on white.
constexpr double kBrightestLine = 0.86;

/// A whole number of steps between two samples, so that these stay what they are.
std::size_t fine_size(std::size_t count, double pixels) {
    const std::size_t wanted = std::max(kFewestFinePoints, static_cast<std::size_t>(pixels * kFinePointsPerPixel));
    return count >= wanted ? count : (count - 1) * ((wanted + count - 3) / (count - 1)) + 1;
}

double share(std::size_t index, std::size_t count) {
    return count < 2 ? 0.5 : static_cast<double>(index) / static_cast<double>(count - 1);
}

}  // namespace

double ContourStyle::drawn(double loss) const { return log ? std::log10(loss) : loss; }

std::vector<Colour> ContourStyle::colours() const {
    const std::size_t count = levels.values.size() + (filled ? 1 : 0);
    std::vector<Colour> result;
    for (std::size_t i = 0; i < count; ++i)
        result.push_back(viridis(share(i, count) * (filled ? 1.0 : kBrightestLine)));
    return result;
}

std::string ContourStyle::legend(const Canvas& canvas, const std::string& label, double low, double high) const {
    std::vector<std::string> names;
    for (const Colour colour : colours())
        names.push_back(hex(colour));
    if (names.empty()) return "unset colorbox\n";
    std::vector<ColourTick> ticks;
    const std::size_t count = levels.values.size();
    const std::size_t stride = 1 + (count - (count == 0 ? 0 : 1)) / kMostBarTicks;
    for (std::size_t i = 0; i < count; i += stride) {
        ticks.push_back({static_cast<double>(i) + (filled ? 1.0 : 0.5), short_number(levels.values[i])});
    }
    if (ticks.empty() && low == high) ticks.push_back({0.5, short_number(low)});
    return banded_palette(names) + colour_bar(canvas, 0.0, static_cast<double>(names.size()), ticks, label);
}

ContourDrawing::ContourDrawing(const PlaneValues& values, const ContourStyle& style, double width, double height)
    : style_(style),
      width_(width),
      height_(height),
      has_gaps_(values.gaps.any()),
      fine_(resample_linear(values.grid, fine_size(values.grid.x.size(), width),
                            fine_size(values.grid.y.size(), height))) {
    trace();
}

bool ContourDrawing::has_origin() const {
    return fine_.x.front() <= 0.0 && fine_.x.back() >= 0.0 && fine_.y.front() <= 0.0 && fine_.y.back() >= 0.0;
}

PlanePoint ContourDrawing::to_pixels(const PlanePoint& point) const {
    return {(point.x - fine_.x.front()) / (fine_.x.back() - fine_.x.front()) * width_,
            (point.y - fine_.y.front()) / (fine_.y.back() - fine_.y.front()) * height_};
}

PlanePoint ContourDrawing::to_plane(const PlanePoint& pixels) const {
    return {fine_.x.front() + pixels.x / width_ * (fine_.x.back() - fine_.x.front()),
            fine_.y.front() + pixels.y / height_ * (fine_.y.back() - fine_.y.front())};
}

void ContourDrawing::trace() {
    for (const double level : style_.levels.values) {
        LevelLines lines{level, short_number(level), {}};
        for (const Polyline& line : contour_lines(fine_, style_.drawn(level))) {
            Polyline pixels;
            for (const PlanePoint& point : line)
                pixels.push_back(to_pixels(point));
            lines.lines.push_back(simplify(pixels, kTolerance));
        }
        lines_.push_back(std::move(lines));
    }
}

std::string ContourDrawing::label(const std::vector<PlanePoint>& obstacles, const LabelMetrics& metrics,
                                  double font_size) {
    std::vector<PlanePoint> marks;
    if (has_origin()) marks.push_back(to_pixels({0.0, 0.0}));
    for (const PlanePoint& point : obstacles)
        marks.push_back(to_pixels(point));
    const std::vector<Colour> level_colours = style_.colours();
    std::string text;
    int tag = 2000;
    for (const PlacedLabel& label : place_labels(lines_, width_, height_, metrics, marks)) {
        const PlanePoint place = to_plane(label.centre);
        const Colour colour = level_colours[label.level_index];
        // On a band: black or white, whichever stands out more; on white: the line's own colour.
        const std::string ink = !style_.filled ? hex(colour) : (luminance(colour) > 0.18 ? "#000000" : "#ffffff");
        text += fmt::format("set label {} '{}' at {},{} center rotate by {:.1f} front font ',{}' textcolor rgb '{}'\n",
                            tag++, lines_[label.level_index].text, exact(place.x), exact(place.y), label.angle,
                            font_size, ink);
    }
    return text;
}

std::string ContourDrawing::blocks() const {
    std::string text;
    if (style_.filled || has_gaps_)
        text += image_block("ground", style_.filled ? banded() : gap_map(), {fine_.x.front(), fine_.x.back()},
                            {fine_.y.front(), fine_.y.back()});
    const std::string rows = rows_of_lines();
    if (!rows.empty()) text += data_block("lines", rows);
    return text;
}

std::vector<std::string> ContourDrawing::elements() const {
    std::vector<std::string> result;
    if (style_.filled || has_gaps_) result.push_back(image_plot("ground", style_.filled) + " notitle");
    const bool any_line =
        std::any_of(lines_.begin(), lines_.end(), [](const LevelLines& level) { return !level.lines.empty(); });
    if (any_line)
        result.emplace_back(style_.filled ? "$lines using 1:2 with lines lw 1.1 lc rgb '#50202020' notitle"
                                          : "$lines using 1:2:3 with lines lw 1.1 lc palette notitle");
    return result;
}

/// Index of the band of each pixel plus a half.
ScalarGrid ContourDrawing::banded() const {
    ScalarGrid bands = fine_;
    std::vector<double> borders;
    for (const double level : style_.levels.values)
        borders.push_back(style_.drawn(level));
    for (double& z : bands.z) {
        if (std::isnan(z)) continue;
        const auto above = std::upper_bound(borders.begin(), borders.end(), z) - borders.begin();
        z = static_cast<double>(above) + 0.5;
    }
    return bands;
}

/// White, and grey where lines are missing for want of values: grey levels 0..255.
ScalarGrid ContourDrawing::gap_map() const {
    ScalarGrid map = fine_;
    for (double& z : map.z)
        z = std::isnan(z) ? kGapGreyLevel : 255.0;
    return map;
}

std::string ContourDrawing::rows_of_lines() const {
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

}  // namespace lossmap
