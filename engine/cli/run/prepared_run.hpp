#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "cli/config/config.hpp"
#include "cli/run/identity.hpp"
#include "cli/run/precision_probe.hpp"
#include "cli/run/run_log.hpp"
#include "landscape/direction.hpp"
#include "landscape/repeated_surface.hpp"
#include "landscape/scheduler.hpp"
#include "landscape/surface.hpp"
#include "landscape/surface_file.hpp"
#include "landscape/trajectory_file.hpp"
#include "landscape/weight_norms.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// A loss that a surface file states and this run computes again.
struct CheckedPoint {
    std::string split;
    std::size_t point = 0;
    double loss = 0.0;
};

/// An experiment with everything checked and built, ready to be computed; nothing has been written yet.
struct PreparedRun {
    Config config;
    std::unique_ptr<Backend> backend;
    std::string device;        ///< description of the device in use
    std::string earlier_plan;  ///< Executable::plan_json of what the folder holds already; ""
    std::vector<std::unique_ptr<Dataset>> data;
    std::vector<SchedulerSplit> splits;
    ParameterSpace space;
    std::vector<Direction> axes;                ///< landscapes
    std::shared_ptr<const Dataset> statistics;  ///< of batch norms, where they are estimated at each point
    DirectionFileNotes direction_notes;
    std::unique_ptr<Executable> executable;  ///< nullptr where nothing is evaluated (weight_norm)
    std::vector<Point> points;
    Surface surface;                          ///< all points not computed; evaluate: a line with a point a model
    std::optional<TrajectoryPlane> plane;     ///< trajectory: its paths
    std::optional<RepeatedSurface> repeated;  ///< repeat
    std::vector<WeightNorms> norms;           ///< weight_norm: one a model
    /// Where there are more points than the surface's: all of them as a line; collect() hands them on.
    std::optional<Surface> results;
    std::vector<JournalEntry> taken_units;  ///< of an earlier run (`grow`), as units of this one
    std::vector<CheckedPoint> checked;      ///< of a surface file that points were taken from (`grow`)
    std::int64_t chunk_samples = 0;
    std::int64_t points_per_group = 0;  ///< repeat: those of a repetition; no block crosses from one to the next
    std::int64_t points_per_block = 0;  ///< 0 until the experiment or, else, the amount of work has told
    PrecisionError precision_error;     ///< of arithmetic that is not plain fp32
    Identity identity;
    std::string resolved;                     ///< JSON text of config.resolved.json
    const std::atomic<bool>* stop = nullptr;  ///< set by a signal

    [[nodiscard]] std::int64_t samples() const;
    /// Every result, in the order of `points`.
    [[nodiscard]] const Surface& computed() const { return results ? *results : surface; }
    /// Takes what `results` has so far over into `surface` and `plane`.
    void collect();
    /// Points to compute: all, or those of the share.
    [[nodiscard]] std::int64_t own_points() const;
    /// Points to compute x samples over all splits.
    [[nodiscard]] std::int64_t evaluations() const { return own_points() * samples(); }
    /// Points to compute x samples that statistics are estimated from: passes of the network beside the evaluations.
    [[nodiscard]] std::int64_t estimations() const;
};

/// Samples a unit of work: a rule of data and configuration alone, as the identity holds it.
[[nodiscard]] std::int64_t choose_chunk(const Config& config, const std::vector<std::unique_ptr<Dataset>>& data);

/// Checks and builds everything that `run` and `validate` need. `threads`: 0 is all. `stop` is looked at in long steps
/// of the computation; may be nullptr. `earlier_plan`: of the part of the run that is there already. `log` has to
/// outlive the result. Throws InputError / UnsupportedError before any computation.
[[nodiscard]] PreparedRun prepare_run(const Config& config, int threads, RunLog& log,
                                      const std::atomic<bool>* stop = nullptr, std::string earlier_plan = {});

/// Version of this program, "0.1.0".
[[nodiscard]] std::string program_version();

}  // namespace lossmap
