#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "data/dataset.hpp"
#include "landscape/journal.hpp"
#include "landscape/shard.hpp"
#include "landscape/surface.hpp"

namespace lossmap {

/// Where a run stands, for progress displays.
struct RunProgress {
    std::int64_t finished_units = 0;        ///< (point, chunk) pairs, those of earlier runs included
    std::int64_t total_units = 0;           ///< at most, while points are named as results come in
    std::int64_t resumed_units = 0;         ///< taken over from the journal
    std::int64_t finished_evaluations = 0;  ///< points x samples done by this process
    std::int64_t total_evaluations = 0;     ///< points x samples that this process has to do
    std::int64_t non_finite_points = 0;
    double elapsed_seconds = 0.0;
};

struct SchedulerOptions {
    std::int64_t chunk_samples = 1000;  ///< samples a unit; part of the run's identity
    std::int64_t points_per_block = 8;  ///< a journal transaction each
    /// Blocks do not cross the multiples of this number: an executable that is costly to turn to the next group of
    /// points turns once a group, not once a chunk. 0: no groups.
    std::int64_t points_per_group = 0;
    /// Chunks kept. When all fit, points are outside and chunks inside; else data stream: chunks outside,
    /// points inside, and two chunks are in memory (the current one and the next, read ahead).
    std::int64_t cache_bytes = std::int64_t{1} << 30;
    /// Finished units that are in no journal here: rank 0 keeps it. Ordered by split, point, chunk.
    std::vector<JournalEntry> known;
    const std::atomic<bool>* stop = nullptr;  ///< set by a signal: finish the block in flight, flush, throw Interrupted
    std::function<void(const RunProgress&)> on_progress;
    std::function<void(const Surface&)> on_block;  ///< after each block, surface as known so far
    /// Names the points to compute next: asked at first and whenever those that it named are done; none ends the run.
    /// Naming a point that is done already does nothing. The surface is as known so far. Points of the journal that it
    /// does not name are shown, too, in the end. Without it all points are computed.
    std::function<std::vector<std::size_t>(const Surface&)> next_points;
    /// Points of this share alone are computed, and counted; what the journal holds of others is shown.
    std::optional<Shard> shard;
};

/// A split to evaluate.
struct SchedulerSplit {
    std::string name;
    const Dataset* data = nullptr;
};

/// Evaluates every point of the grid on every split and fills `surface`, in units of (block of points, chunk of
/// samples). Units in the journal are taken over; sums of chunks are added in chunk order, so that a resumed run has
/// the bits of an unbroken one. `points` are the coordinates handed to the executable, one a surface point, in surface
/// order. `journal` may be nullptr. What is marked as done in `surface` already stays as it is.
void run_schedule(Executable& executable, const std::vector<Point>& points, const std::vector<SchedulerSplit>& splits,
                  Journal* journal, const SchedulerOptions& options, Surface& surface);

}  // namespace lossmap
