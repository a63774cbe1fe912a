#include "cli/run/experiments/trajectory_steps.hpp"

#include "cli/run/network_request.hpp"
#include "cli/run/path_points.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// The path in the plane, and with it the ranges that are left to it.
void place_path(PreparedRun& run, const ParameterSpace& space, const std::vector<std::string>& labels, RunLog& log) {
    with_context(fmt::format("{}: /plane", run.config.file.string()), [&] {
        for (Direction& axis : run.axes)
            make_unit(axis);
    });
    run.path = project_path(run.config, space, run.axes);
    run.path->axis_labels = labels;
    with_context(run.config.file.string(), [&] {
        resolve_axis(*run.config.x, run.path->x, "x");
        resolve_axis(*run.config.y, run.path->y, "y");
    });
    log.info(fmt::format("the plane ({}; {}) holds {:.2f} % of the path's squared length", labels[0], labels[1],
                         100.0 * run.path->captured_share()));
}

}  // namespace

void TrajectorySteps::prepare(PreparedRun& run, int threads, RunLog& log) const {
    const LoadedModel model = load_origin(run, log);
    const std::vector<std::string> labels = make_axes(run, model, log);
    place_path(run, model.space, labels, log);
    note_axes(run, log);
    lay_grid(run, model, threads);
    run.identity.set("path", check_models(run, run.config.path.checkpoints, threads, log).first);
    add_path_points(run, make_sequence(run, run.config.path.checkpoints, threads));
}

ExperimentSteps::Files TrajectorySteps::write_numbers(const PreparedRun& run, const RunDirectory& directory) const {
    Files files = LandscapeSteps::write_numbers(run, directory);
    write_trajectory(directory / "trajectory.h5", *run.path);
    files.push_back(directory / "trajectory.h5");
    return files;
}

}  // namespace lossmap
