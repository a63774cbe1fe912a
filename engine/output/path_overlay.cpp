#include "output/path_overlay.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "output/canvas.hpp"

namespace lossmap {
namespace {

constexpr const char* kPathColour = "#1f4fd8";
constexpr const char* kDropColour = "#d62728";
constexpr int kObstaclesPerSegment = 16;

std::string row_of(const TrajectoryPath& path, std::size_t k) {
    return fmt::format("{} {}\n", exact(path.x[k]), exact(path.y[k]));
}

/// "97.3 % of the path's squared length lies in the plane; its loss is 4.1 for 3.17 at checkpoint 0, the worst".
std::string fidelity_note(const TrajectoryPath& path, const std::string& split) {
    std::string note;
    if (!path.norm.empty()) {
        note = fmt::format("{:.1f} % of the path's squared length lies in the plane", 100.0 * path.captured_share());
    }
    for (const PathLosses& losses : path.losses) {
        if (losses.split != split) continue;
        double worst = 0.0;
        std::size_t where = path.x.size();
        for (std::size_t k = 0; k < losses.plane_loss.size(); ++k) {
            const double difference = std::abs(losses.plane_loss[k] - losses.checkpoint_loss[k]);
            if (!(difference > worst)) continue;
            worst = difference;
            where = k;
        }
        if (where == path.x.size()) continue;
        note += fmt::format("{}its loss is {} for {} at checkpoint {}, the worst", note.empty() ? "" : "; ",
                            short_number(losses.plane_loss[where]), short_number(losses.checkpoint_loss[where]), where);
    }
    return note;
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

}  // namespace

PathOverlay path_overlay(const TrajectoryPath& path, const Surface& surface, const std::string& split) {
    if (path.x.empty() || path.x.size() != path.y.size()) {
        throw InputError("the path has {} x and {} y coordinates", path.x.size(), path.y.size());
    }
    PathOverlay overlay;
    if (path.axis_labels.size() >= 2) overlay.labels = {path.axis_labels[0], path.axis_labels[1]};
    overlay.labels.origin = false;  // the path ends there
    overlay.obstacles = points_along(path);
    std::size_t outside = 0;
    std::string all;
    std::string drops;
    for (std::size_t k = 0; k < path.x.size(); ++k) {
        all += row_of(path, k);
        const bool dropped =
            std::find(path.lr_drops.begin(), path.lr_drops.end(), static_cast<std::int64_t>(k)) != path.lr_drops.end();
        if (dropped) drops += row_of(path, k);
        const bool inside = path.x[k] >= surface.x.front() && path.x[k] <= surface.x.back() &&
                            path.y[k] >= surface.y.front() && path.y[k] <= surface.y.back();
        outside += inside ? 0 : 1;
    }
    overlay.blocks = data_block("path", all);
    // White under the colour: visible on every contour.
    overlay.elements.emplace_back("$path using 1:2 with lines lw 4 lc rgb '#ffffff' notitle");
    overlay.elements.push_back(fmt::format(
        "$path using 1:2 with linespoints lw 1.8 pt 7 ps 0.7 lc rgb '{}' title 'checkpoints'", kPathColour));
    if (!drops.empty()) {
        overlay.blocks += data_block("drops", drops);
        overlay.elements.push_back(fmt::format(
            "$drops using 1:2 with points pt 7 ps 1.1 lc rgb '{}' title 'learning rate dropped'", kDropColour));
    }
    overlay.blocks += data_block("end", row_of(path, path.x.size() - 1));
    overlay.elements.emplace_back("$end using 1:2 with points pt 6 ps 1.5 lw 1.6 lc rgb '#111111' notitle");
    overlay.settings = fmt::format(
        "set key at screen {},{} center bottom horizontal maxrows 1 Left reverse samplen 1.6 noenhanced textcolor rgb "
        "'{}'\n",
        kPlaneCanvas.centre() / kPlaneCanvas.width, (kPlaneCanvas.top + 2.0) / kPlaneCanvas.height, kInk);
    overlay.note = fidelity_note(path, split);
    if (outside > 0) {
        overlay.note += fmt::format("{}{} of {} checkpoints lie outside the picture", overlay.note.empty() ? "" : "; ",
                                    outside, path.x.size());
    }
    return overlay;
}

}  // namespace lossmap
