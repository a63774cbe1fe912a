#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "cli/run/prepared_run.hpp"
#include "landscape/refinement.hpp"

namespace lossmap {

/// The order in which a run's points are computed, for SchedulerOptions::next_points: what is compared with a surface
/// that was taken over, then all points, or, where they are refined, what Refinement names (with the first ones
/// everything that is no point of the grid: a trajectory's checkpoints).
class PointRounds {
public:
    /// Borrows `run`.
    explicit PointRounds(const PreparedRun& run);

    /// @param results  of all points as far as they are known; those named before are done
    /// Throws InputError when a surface that was taken over is not this run's.
    [[nodiscard]] std::vector<std::size_t> next(const Surface& results);
    /// Whether the last call found the coarse grid of a refined run finished, for the first time.
    [[nodiscard]] bool has_coarse_grid() const { return refined_rounds_ == 2; }

private:
    [[nodiscard]] std::vector<std::size_t> next_refined(const Surface& results);

    const PreparedRun& run_;
    std::optional<Refinement> refinement_;
    int refined_rounds_ = 0;
    bool checked_ = false;
    bool named_all_ = false;
};

}  // namespace lossmap
