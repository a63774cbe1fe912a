#include "cli/run/point_rounds.hpp"

#include <algorithm>
#include <numeric>

#include "cli/run/takeover.hpp"

namespace lossmap {

PointRounds::PointRounds(const PreparedRun& run) : run_(run) {
    if (!run.config.refine) return;
    refinement_.emplace(run.surface.x.size(), std::max<std::size_t>(1, run.surface.y.size()), *run.config.refine);
}

std::vector<std::size_t> PointRounds::next(const Surface& results) {
    if (!checked_) {
        checked_ = true;
        std::vector<std::size_t> points;
        for (const CheckedPoint& check : run_.checked)
            points.push_back(check.point);
        std::sort(points.begin(), points.end());
        points.erase(std::unique(points.begin(), points.end()), points.end());  // splits share points
        if (!points.empty()) return points;
    }
    if (refined_rounds_ == 0 && !named_all_) require_same_surface(run_, results);
    if (refinement_) return next_refined(results);
    std::vector<std::size_t> all;
    if (!named_all_) {
        named_all_ = true;
        all.resize(run_.points.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
    }
    return all;
}

std::vector<std::size_t> PointRounds::next_refined(const Surface& results) {
    const std::size_t grid = run_.surface.point_count();
    std::vector<std::span<const double>> losses;
    for (const SplitSurface& split : results.splits)
        losses.push_back(std::span(split.loss).first(grid));
    std::vector<std::size_t> points = refinement_->next(losses);
    if (refined_rounds_ == 0) {
        for (std::size_t extra = grid; extra < run_.points.size(); ++extra)
            points.push_back(extra);
    }
    ++refined_rounds_;
    return points;
}

}  // namespace lossmap
