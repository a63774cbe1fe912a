#include "output/contour_labels.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

namespace lossmap {

namespace {

constexpr double kGap = 3.0;                     // between text and the ends of the line, pixels
constexpr double kCandidateStep = 6.0;           // pixels along a line
constexpr double kSmallestStraightness = 0.965;  // chord over arc under a label
constexpr double kSecondLabelLength = 900.0;     // a line longer than this gets a second label,
constexpr double kSameLabelDistance = 240.0;     // this far from others of its level
constexpr std::size_t kMostLabels = 60;

/// Which line passes through each pixel of the plot area.
class Occupancy {
public:
    static constexpr int kFree = -1;
    static constexpr int kBlocked = -2;  // several lines, or an obstacle

    Occupancy(double width, double height)
        : columns_(static_cast<int>(width) + 1),
          rows_(static_cast<int>(height) + 1),
          cells_(static_cast<std::size_t>(columns_) * static_cast<std::size_t>(rows_), kFree) {}

    void add_line(const Polyline& line, int id) {
        for (std::size_t i = 0; i + 1 < line.size(); ++i) {
            const double length = std::hypot(line[i + 1].x - line[i].x, line[i + 1].y - line[i].y);
            const int steps = static_cast<int>(length * 2.0) + 1;
            for (int s = 0; s <= steps; ++s) {
                const double share = static_cast<double>(s) / steps;
                set({line[i].x + share * (line[i + 1].x - line[i].x), line[i].y + share * (line[i + 1].y - line[i].y)},
                    id);
            }
        }
    }

    void block_disc(const PlanePoint& centre, double radius) {
        for (double dy = -radius; dy <= radius; dy += 0.7) {
            for (double dx = -radius; dx <= radius; dx += 0.7) {
                if (std::hypot(dx, dy) <= radius) set({centre.x + dx, centre.y + dy}, kBlocked);
            }
        }
    }

    /// Whether the place is inside the area and holds nothing, or only line `id`.
    [[nodiscard]] bool is_free(const PlanePoint& point, int id) const {
        if (point.x < 2.0 || point.y < 2.0 || point.x > columns_ - 3.0 || point.y > rows_ - 3.0) return false;
        const int cell = cells_[index(point)];
        return cell == kFree || cell == id;
    }

private:
    [[nodiscard]] std::size_t index(const PlanePoint& point) const {
        const int column = std::clamp(static_cast<int>(point.x), 0, columns_ - 1);
        const int row = std::clamp(static_cast<int>(point.y), 0, rows_ - 1);
        return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(column);
    }
    void set(const PlanePoint& point, int id) {
        int& cell = cells_[index(point)];
        cell = cell == kFree || cell == id ? id : kBlocked;
    }

    int columns_;
    int rows_;
    std::vector<int> cells_;
};

/// A line with the arc length at each of its points.
struct MeasuredLine {
    const Polyline& points;
    std::vector<double> arc;

    explicit MeasuredLine(const Polyline& line) : points(line), arc(line.size(), 0.0) {
        for (std::size_t i = 1; i < line.size(); ++i) {
            arc[i] = arc[i - 1] + std::hypot(line[i].x - line[i - 1].x, line[i].y - line[i - 1].y);
        }
    }
    [[nodiscard]] double length() const { return arc.back(); }
    [[nodiscard]] PlanePoint at(double s) const {
        const auto upper = std::upper_bound(arc.begin(), arc.end(), s);
        if (upper == arc.begin()) return points.front();
        if (upper == arc.end()) return points.back();
        const auto i = static_cast<std::size_t>(upper - arc.begin());
        const double share = (s - arc[i - 1]) / (arc[i] - arc[i - 1]);
        return {points[i - 1].x + share * (points[i].x - points[i - 1].x),
                points[i - 1].y + share * (points[i].y - points[i - 1].y)};
    }
    /// The part between two arc lengths.
    [[nodiscard]] Polyline part(double from, double to) const {
        Polyline result{at(from)};
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (arc[i] > from && arc[i] < to) result.push_back(points[i]);
        }
        result.push_back(at(to));
        return result;
    }
};

struct Candidate {
    double start = 0.0;  // arc length where the line is cut
    double cost = 0.0;
    PlanePoint centre;
    double angle = 0.0;  // radians
};

bool box_is_free(const Occupancy& occupancy, const PlanePoint& centre, double angle, double width, double height,
                 int id) {
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    for (double v = -0.5 * height; v <= 0.5 * height; v += 1.0) {
        for (double u = -0.5 * width; u <= 0.5 * width; u += 1.0) {
            if (!occupancy.is_free({centre.x + u * c - v * s, centre.y + u * s + v * c}, id)) return false;
        }
    }
    return true;
}

std::optional<Candidate> best_place(const MeasuredLine& line, double from, double to, double width, double height,
                                    const Occupancy& occupancy, int id) {
    std::optional<Candidate> best;
    for (double start = from; start + width <= to; start += kCandidateStep) {
        const PlanePoint a = line.at(start);
        const PlanePoint b = line.at(start + width);
        const double straightness = std::hypot(b.x - a.x, b.y - a.y) / width;
        if (straightness < kSmallestStraightness) continue;
        const PlanePoint on_line = line.at(start + 0.5 * width);
        const PlanePoint centre{0.25 * (a.x + b.x) + 0.5 * on_line.x, 0.25 * (a.y + b.y) + 0.5 * on_line.y};
        const double angle = std::atan2(b.y - a.y, b.x - a.x);
        // Level text reads best; a bend costs about as much as ten times its relative sag.
        const double cost = 10.0 * (1.0 - straightness) + 0.5 * std::abs(std::sin(angle));
        if (best && cost >= best->cost) continue;
        if (box_is_free(occupancy, centre, angle, width, height, id)) best = Candidate{start, cost, centre, angle};
    }
    return best;
}

bool repeats(const std::vector<PlacedLabel>& labels, std::size_t level, const PlanePoint& centre) {
    return std::any_of(labels.begin(), labels.end(), [&](const PlacedLabel& other) {
        return other.level_index == level &&
               std::hypot(other.centre.x - centre.x, other.centre.y - centre.y) < kSameLabelDistance;
    });
}

double upright_degrees(double radians) {
    double degrees = radians * 180.0 / std::numbers::pi;
    if (degrees > 90.0) degrees -= 180.0;
    if (degrees <= -90.0) degrees += 180.0;
    return degrees;
}

}  // namespace

std::vector<PlacedLabel> place_labels(std::vector<LevelLines>& levels, double width, double height,
                                      const LabelMetrics& metrics, const std::vector<PlanePoint>& obstacles) {
    Occupancy occupancy(width, height);
    int next_id = 0;
    for (const LevelLines& level : levels) {
        for (const Polyline& line : level.lines)
            occupancy.add_line(line, next_id++);
    }
    for (const PlanePoint& obstacle : obstacles)
        occupancy.block_disc(obstacle, 8.0);

    std::vector<PlacedLabel> labels;
    next_id = 0;
    for (std::size_t k = 0; k < levels.size(); ++k) {
        const double text_width = metrics.character_width * static_cast<double>(levels[k].text.size());
        const double cut = text_width + 2.0 * kGap;
        std::vector<Polyline> pieces;
        for (const Polyline& line : levels[k].lines) {
            const int id = next_id++;
            const MeasuredLine measured(line);
            const int wanted = measured.length() < 2.0 * cut ? 0 : (measured.length() > kSecondLabelLength ? 2 : 1);
            double done = 0.0;
            for (int part = 0; part < wanted; ++part) {
                if (labels.size() >= kMostLabels) break;
                const double to = measured.length() * (part + 1) / wanted;
                const auto place = best_place(measured, std::max(done, measured.length() * part / wanted), to, cut,
                                              metrics.height, occupancy, id);
                if (!place || repeats(labels, k, place->centre)) continue;
                labels.push_back({k, place->centre, upright_degrees(place->angle)});
                for (double u = -0.5 * cut; u <= 0.5 * cut; u += 0.5 * metrics.height) {
                    occupancy.block_disc(
                        {place->centre.x + u * std::cos(place->angle), place->centre.y + u * std::sin(place->angle)},
                        metrics.height);
                }
                if (place->start > done) pieces.push_back(measured.part(done, place->start));
                done = place->start + cut;
            }
            pieces.push_back(done == 0.0 ? line : measured.part(done, measured.length()));
        }
        levels[k].lines = std::move(pieces);
    }
    return labels;
}

}  // namespace lossmap
