#include "output/path_overlay.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "output/canvas.hpp"
#include "output/gnuplot.hpp"
#include "output/text.hpp"

namespace lossmap {
namespace {

/// Colour and gnuplot's point type of a run: told apart without seeing colours, too. None is the red of the drops.
struct RunStyle {
    const char* colour;
    int point;
};
constexpr std::array<RunStyle, 6> kRunStyles{
    {{"#1f4fd8", 7}, {"#e07a00", 5}, {"#b01c8b", 9}, {"#00857a", 13}, {"#6b4a2f", 11}, {"#444b54", 15}}};
constexpr const char* kDropColour = "#d62728";
constexpr int kObstaclesPerSegment = 16;

constexpr std::size_t kLongestLabel = 28;
constexpr double kLegendCharacter = 8.2;  // mean width in pixels
constexpr double kLegendSample = 46.0;    // room of a line sample and the gaps around it

/// A label as a legend has room for it.
std::string shortened(const std::string& label) { return wrap_text(label, kLongestLabel, 1).front(); }

std::string row_of(const TrajectoryPath& path, std::size_t k) {
    return fmt::format("{} {}\n", exact(path.x[k]), exact(path.y[k]));
}

/// Where the plane's loss is farthest from a checkpoint's own.
struct WorstPoint {
    double difference = 0.0;
    double plane_loss = 0.0;
    double checkpoint_loss = 0.0;
    std::size_t checkpoint = 0;
    const TrajectoryPath* path = nullptr;
};

WorstPoint worst_point(const TrajectoryPlane& plane, const std::string& split) {
    WorstPoint worst;
    for (const TrajectoryPath& path : plane.runs) {
        for (const PathLosses& losses : path.losses) {
            for (std::size_t k = 0; losses.split == split && k < losses.plane_loss.size(); ++k) {
                const double difference = std::abs(losses.plane_loss[k] - losses.checkpoint_loss[k]);
                if (difference > worst.difference)
                    worst = {difference, losses.plane_loss[k], losses.checkpoint_loss[k], k, &path};
            }
        }
    }
    return worst;
}

/// "97.3 % of the path's squared length lies in the plane; its loss is 4.1 for 3.17 at checkpoint 0, the worst".
std::string fidelity_note(const TrajectoryPlane& plane, const std::string& split) {
    const bool several = plane.runs.size() > 1;
    std::string shares;
    for (const TrajectoryPath& path : plane.runs) {
        if (path.norm.empty()) continue;
        shares += fmt::format("{}{:.1f} %{}", shares.empty() ? "" : ", ", 100.0 * path.captured_share(),
                              several ? " of " + path.label : "");
    }
    std::string note;
    if (!shares.empty())
        note = several ? "squared length in the plane: " + shares
                       : shares + " of the path's squared length lies in the plane";
    const WorstPoint worst = worst_point(plane, split);
    if (worst.path == nullptr) return note;
    return note + fmt::format("{}its loss is {} for {} at checkpoint {}{}, the worst", note.empty() ? "" : "; ",
                              short_number(worst.plane_loss), short_number(worst.checkpoint_loss), worst.checkpoint,
                              several ? " of " + worst.path->label : "");
}

std::vector<PlanePoint> points_along(const TrajectoryPath& path) {
    std::vector<PlanePoint> points{{path.x[0], path.y[0]}};
    for (std::size_t k = 1; k < path.x.size(); ++k) {
        for (int step = 1; step <= kObstaclesPerSegment; ++step) {
            const double share = static_cast<double>(step) / kObstaclesPerSegment;
            points.push_back({std::lerp(path.x[k - 1], path.x[k], share), std::lerp(path.y[k - 1], path.y[k], share)});
        }
    }
    return points;
}

void require_path(const TrajectoryPath& path) {
    const auto count = static_cast<std::int64_t>(path.x.size());
    if (path.x.empty() || path.x.size() != path.y.size()) {
        throw InputError("the path has {} x and {} y coordinates", path.x.size(), path.y.size());
    }
    for (const std::int64_t drop : path.lr_drops) {
        if (drop < 0 || drop >= count) throw InputError("the path has no checkpoint {}", drop);
    }
}

/// The line through the checkpoints of a run; white under the colour: visible on every contour.
void add_run(PathOverlay& overlay, const TrajectoryPath& path, std::size_t run) {
    std::string rows;
    for (std::size_t k = 0; k < path.x.size(); ++k)
        rows += row_of(path, k);
    const std::string block = run == 0 ? "path" : fmt::format("path_{}", run);
    overlay.blocks += data_block(block, rows);
    const RunStyle& style = kRunStyles[run % kRunStyles.size()];
    overlay.elements.push_back(fmt::format("${} using 1:2 with lines lw 4 lc rgb '#ffffff' notitle", block));
    overlay.elements.push_back(fmt::format("${} using 1:2 with linespoints lw 1.8 pt {} ps 0.7 lc rgb '{}' title {}",
                                           block, style.point, style.colour,
                                           gnuplot_string(path.label.empty() ? "checkpoints" : shortened(path.label))));
}

std::size_t count_outside(const TrajectoryPath& path, const Surface& surface) {
    std::size_t outside = 0;
    for (std::size_t k = 0; k < path.x.size(); ++k) {
        const bool inside = path.x[k] >= surface.x.front() && path.x[k] <= surface.x.back() &&
                            path.y[k] >= surface.y.front() && path.y[k] <= surface.y.back();
        outside += inside ? 0 : 1;
    }
    return outside;
}

const char* drop_title(const TrajectoryPlane& plane) {
    return plane.runs.size() > 1 ? "rate dropped" : "learning rate dropped";
}

}  // namespace

PathOverlay path_overlay(const TrajectoryPlane& plane, const Surface& surface, const std::string& split) {
    PathOverlay overlay;
    if (plane.axis_labels.size() >= 2) overlay.labels = {plane.axis_labels[0], plane.axis_labels[1]};
    overlay.labels.origin = false;  // a path ends there
    std::size_t outside = 0;
    std::size_t checkpoints = 0;
    std::string drops;
    std::string ends;
    for (std::size_t run = 0; run < plane.runs.size(); ++run) {
        const TrajectoryPath& path = plane.runs[run];
        require_path(path);
        const std::vector<PlanePoint> along = points_along(path);
        overlay.obstacles.insert(overlay.obstacles.end(), along.begin(), along.end());
        add_run(overlay, path, run);
        for (const std::int64_t drop : path.lr_drops)
            drops += row_of(path, static_cast<std::size_t>(drop));
        ends += row_of(path, path.x.size() - 1);
        outside += count_outside(path, surface);
        checkpoints += path.x.size();
    }
    if (!drops.empty()) {
        overlay.blocks += data_block("drops", drops);
        overlay.elements.push_back(fmt::format("$drops using 1:2 with points pt 7 ps 1.1 lc rgb '{}' title '{}'",
                                               kDropColour, drop_title(plane)));
    }
    overlay.blocks += data_block("end", ends);
    overlay.elements.emplace_back("$end using 1:2 with points pt 6 ps 1.5 lw 1.6 lc rgb '#111111' notitle");
    overlay.notes = plane.notes;
    const std::string fidelity = fidelity_note(plane, split);
    if (!fidelity.empty()) overlay.notes.insert(overlay.notes.begin(), fidelity);
    if (outside > 0)
        overlay.notes.push_back(fmt::format("{} of {} checkpoints lie outside the picture", outside, checkpoints));
    return overlay;
}

std::string path_legend(const TrajectoryPlane& plane, const Canvas& canvas) {
    std::size_t longest = std::string_view(drop_title(plane)).size();
    for (const TrajectoryPath& path : plane.runs)
        longest = std::max(longest, shortened(path.label).size());
    const double width =
        static_cast<double>(plane.runs.size() + 1) * (static_cast<double>(longest) * kLegendCharacter + kLegendSample);
    const char* look = "Left reverse samplen 1.6 noenhanced textcolor rgb";
    if (width <= canvas.plot_width()) {
        return fmt::format("set key at screen {},{} center bottom horizontal maxrows 1 {} '{}'\n",
                           canvas.centre() / canvas.width, (canvas.top + 2.0) / canvas.height, look, kInk);
    }
    return fmt::format("set key at graph 0.985,0.985 right top vertical opaque box lc rgb '#c8c8c8' {} '{}'\n", look,
                       kInk);
}

}  // namespace lossmap
