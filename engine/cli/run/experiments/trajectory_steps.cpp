#include "cli/run/experiments/trajectory_steps.hpp"

#include "cli/run/network_request.hpp"
#include "cli/run/path_points.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// The paths in the plane, and with them the ranges that are left to them.
void place_paths(PreparedRun& run, const ParameterSpace& space, const std::vector<std::string>& labels, RunLog& log) {
    with_context(fmt::format("{}: /plane", run.config.file.string()), [&] {
        for (Direction& axis : run.axes)
            make_unit(axis);
    });
    run.plane = project_paths(run.config, space, run.axes);
    run.plane->axis_labels = labels;
    with_context(run.config.file.string(), [&] {
        resolve_axis(*run.config.x, run.plane->runs, &TrajectoryPath::x, "x");
        resolve_axis(*run.config.y, run.plane->runs, &TrajectoryPath::y, "y");
    });
    for (const TrajectoryPath& path : run.plane->runs) {
        log.info(fmt::format("the plane ({}; {}) holds {:.2f} % of the squared length of {}", labels[0], labels[1],
                             100.0 * path.captured_share(),
                             path.label.empty() ? "the path" : "the path of " + path.label));
    }
}

}  // namespace

void TrajectorySteps::prepare(PreparedRun& run, int threads, RunLog& log) const {
    const LoadedModel model = load_origin(run, log);
    const std::vector<std::string> labels = make_axes(run, model, threads, log);
    place_paths(run, model.space, labels, log);
    note_axes(run, log);
    run.plane->notes = random_axis_notes(run.config, *run.plane, run.direction_notes.expected_cosine.value_or(0.0));
    for (const std::string& note : run.plane->notes)
        log.info(note);
    lay_grid(run, model, threads);
    const std::vector<ModelConfig> checkpoints = run.config.path_checkpoints();
    run.identity.set("path", check_models(run, checkpoints, threads, log).first);
    add_path_points(run, make_sequence(run, checkpoints, threads));
}

ExperimentSteps::Files TrajectorySteps::write_numbers(const PreparedRun& run, const RunDirectory& directory) const {
    Files files = LandscapeSteps::write_numbers(run, directory);
    write_trajectory(directory / "trajectory.h5", *run.plane);
    files.push_back(directory / "trajectory.h5");
    return files;
}

}  // namespace lossmap
