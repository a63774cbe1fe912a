#pragma once

#include <memory>

#include "cli/config/config.hpp"
#include "cli/run/model_sequence.hpp"
#include "cli/run/prepared_run.hpp"
#include "landscape/trajectory.hpp"

namespace lossmap {

/// Scales an axis to length 1, so that coordinates along it are distances between weights, as the path's are. Throws
/// InputError when it is zero.
void make_unit(Direction& axis);

/// The configured paths projected onto two axes.
[[nodiscard]] TrajectoryPlane project_paths(const Config& config, const ParameterSpace& space,
                                            const std::vector<Direction>& axes);

/// Sentences on why a plane with random axes tells little of the paths: the cosine of their way (first checkpoint to
/// origin) with each axis beside `expected`, the mean |cosine| of two random directions. None where no axis is random.
[[nodiscard]] std::vector<std::string> random_axis_notes(const Config& config, const TrajectoryPlane& plane,
                                                         double expected);

/// Puts numbers in the place of an axis' automatic ends: those of all paths, and axis.margin times their extent beyond.
/// Throws InputError when the ends that result do not increase.
void resolve_axis(GridAxis& axis, const std::vector<TrajectoryPath>& paths,
                  std::vector<double> TrajectoryPath::*coordinates, const char* name);

/// Adds the points that tell how far the plane can be trusted to those of the grid: the projection of each checkpoint,
/// then each checkpoint itself; `run.results` then holds all of them. `checkpoints` evaluates the latter.
void add_path_points(PreparedRun& run, std::unique_ptr<ModelSequence> checkpoints);

/// Copies results over from `run.results` to the surface and the paths.
void take_path_results(PreparedRun& run);

}  // namespace lossmap
