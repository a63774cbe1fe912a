#include "cli/run/path_points.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/run/checkpoint_path.hpp"
#include "cli/run/path_executable.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

double label_of(const PathConfig& path, std::size_t index) {
    if (!path.epochs.empty()) return static_cast<double>(path.epochs[index]);
    if (!path.iterations.empty()) return static_cast<double>(path.iterations[index]);
    return static_cast<double>(index);
}

std::vector<std::int64_t> drop_indices(const PathConfig& path) {
    std::vector<std::int64_t> indices;
    for (std::size_t k = 0; k < path.checkpoints.size(); ++k) {
        const bool drops = std::any_of(path.lr_drops.begin(), path.lr_drops.end(), [&](std::int64_t value) {
            return static_cast<double>(value) == label_of(path, k);
        });
        if (drops) indices.push_back(static_cast<std::int64_t>(k));
    }
    return indices;
}

TrajectoryPath named_path(const PathConfig& configured) {
    TrajectoryPath path;
    path.label = configured.label;
    for (const ModelConfig& checkpoint : configured.checkpoints)
        path.checkpoints.push_back(
            (checkpoint.checkpoint ? *checkpoint.checkpoint : checkpoint.path).filename().string());
    path.epochs = configured.epochs;
    path.iterations = configured.iterations;
    path.lr_drops = drop_indices(configured);
    return path;
}

/// The first `count` entries of every list of a split.
void copy_split(const SplitSurface& from, std::size_t count, SplitSurface& to) {
    const auto copy = [count](const auto& source, auto& target) { std::copy_n(source.begin(), count, target.begin()); };
    copy(from.loss, to.loss);
    copy(from.accuracy, to.accuracy);
    copy(from.standard_error, to.standard_error);
    copy(from.done, to.done);
    copy(from.non_finite, to.non_finite);
    copy(from.samples, to.samples);
}

}  // namespace

void make_unit(Direction& axis) {
    const double length = weight_norm(axis.weights);
    if (!(length > 0.0)) throw InputError("a direction of zeros spans no plane");
    const auto scale = [length](std::vector<float>& values) {
        for (float& value : values)
            value = static_cast<float>(static_cast<double>(value) / length);
    };
    scale(axis.weights);
    scale(axis.states);
}

TrajectoryPlane project_paths(const Config& config, const ParameterSpace& space, const std::vector<Direction>& axes) {
    TrajectoryPlane plane;
    const std::vector<ModelConfig> checkpoints = config.path_checkpoints();
    Trajectory trajectory = open_trajectory(checkpoints, config.rules, space);
    trajectory.origin = origin_of_paths(config);
    const std::vector<TrajectoryPoint> points = project_trajectory(trajectory, axes);
    auto point = points.begin();
    for (const PathConfig& configured : config.paths) {
        TrajectoryPath path = named_path(configured);
        for (std::size_t k = 0; k < configured.checkpoints.size(); ++k, ++point) {
            path.x.push_back(point->coordinates[0]);
            path.y.push_back(point->coordinates[1]);
            path.norm.push_back(point->norm);
            path.distance.push_back(point->distance);
            path.weight_norm.push_back(point->weight_norm);
        }
        plane.runs.push_back(std::move(path));
    }
    return plane;
}

std::vector<std::string> random_axis_notes(const Config& config, const TrajectoryPlane& plane, double expected) {
    const DirectionsConfig& directions = config.directions;
    const auto is_random = [&](std::size_t axis) {
        return std::holds_alternative<RandomDirection>(directions.entries[directions.by_axis ? axis : 0]);
    };
    if (!is_random(0) && !is_random(1)) return {};
    std::vector<std::string> notes;
    for (const TrajectoryPath& path : plane.runs) {
        if (!(path.norm.front() > 0.0)) continue;
        notes.push_back(
            fmt::format("cosine of the way{} with the axes: {:.4f}, {:.4f}; of two random directions {:.4f}",
                        path.label.empty() ? "" : " of " + path.label, path.x.front() / path.norm.front(),
                        path.y.front() / path.norm.front(), expected));
    }
    const char* axes = is_random(0) && is_random(1) ? "the axes" : is_random(0) ? "x" : "y";
    notes.push_back(fmt::format(
        "random directions are nearly at right angles to any path: what shows of it along {} is chance", axes));
    return notes;
}

void resolve_axis(GridAxis& axis, const std::vector<TrajectoryPath>& paths,
                  std::vector<double> TrajectoryPath::*coordinates, const char* name) {
    double least = std::numeric_limits<double>::infinity();
    double greatest = -least;
    for (const TrajectoryPath& path : paths) {
        for (const double value : path.*coordinates) {
            least = std::min(least, value);
            greatest = std::max(greatest, value);
        }
    }
    // A path that does not move along the axis still needs room around it.
    const double extent = greatest > least ? greatest - least : 1.0;
    if (axis.auto_min) axis.min = least - axis.margin * extent;
    if (axis.auto_max) axis.max = greatest + axis.margin * extent;
    axis.auto_min = axis.auto_max = false;
    if (axis.min < axis.max || axis.points == 1) return;
    throw InputError("/{}: the range of the path leaves {} to {}, expected min < max", name, axis.min, axis.max);
}

void add_path_points(PreparedRun& run, std::unique_ptr<ModelSequence> checkpoints) {
    std::size_t count = 0;
    for (const TrajectoryPath& path : run.plane->runs) {
        for (std::size_t k = 0; k < path.x.size(); ++k)
            run.points.push_back({{path.x[k], path.y[k]}});
        count += path.x.size();
    }
    for (std::size_t k = 0; k < count; ++k)
        run.points.push_back({{static_cast<double>(k)}});
    run.executable = std::make_unique<PathExecutable>(std::move(run.executable), std::move(checkpoints));
    std::vector<double> numbers(run.points.size());
    for (std::size_t k = 0; k < numbers.size(); ++k)
        numbers[k] = static_cast<double>(k);
    run.results = make_surface(numbers, {}, run.config.splits, run.config.loss.has_classes());
    take_path_results(run);
}

void take_path_results(PreparedRun& run) {
    const std::size_t grid = run.surface.point_count();
    const auto all_checkpoints = static_cast<std::ptrdiff_t>((run.points.size() - grid) / 2);
    for (TrajectoryPath& path : run.plane->runs)
        path.losses.clear();
    for (std::size_t s = 0; s < run.surface.splits.size(); ++s) {
        const SplitSurface& all = run.results->splits[s];
        copy_split(all, grid, run.surface.splits[s]);
        auto projected = all.loss.begin() + static_cast<std::ptrdiff_t>(grid);
        for (TrajectoryPath& path : run.plane->runs) {
            const auto end = projected + static_cast<std::ptrdiff_t>(path.x.size());
            path.losses.push_back({all.name, {projected + all_checkpoints, end + all_checkpoints}, {projected, end}});
            projected = end;
        }
    }
}

}  // namespace lossmap
