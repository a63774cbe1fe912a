#include "cli/run/experiments/repeat_steps.hpp"

#include "cli/run/direction_source.hpp"
#include "cli/run/network_request.hpp"
#include "cli/run/outputs.hpp"
#include "cli/run/repeat_outputs.hpp"
#include "io/hash.hpp"

namespace lossmap {
namespace {

/// The configuration of one repetition: that of a surface with a seed of its own.
Config repetition_of(const Config& config, std::size_t index) {
    Config one = config;
    std::get<RandomDirection>(one.directions.entries.front()).seed += index;
    return one;
}

std::int64_t first_seed(const Config& config) {
    return static_cast<std::int64_t>(std::get<RandomDirection>(config.directions.entries.front()).seed);
}

/// One network with the directions of each repetition in turn.
std::unique_ptr<ModelSequence> make_repetitions(const PreparedRun& run, LoadedModel model, int threads) {
    // The run moves; what building needs is held by pointers to what stays where it is.
    struct Context {
        Config config;
        LoadedModel model;
    };
    const auto context = std::make_shared<const Context>(Context{run.config, std::move(model)});
    ExecutableRequest shared = make_request(context->model, run, threads);
    const auto build = [context, shared, backend = run.backend.get()](std::size_t index) {
        const BuiltDirections built =
            build_directions(repetition_of(context->config, index), context->model, *backend, shared.threads);
        ExecutableRequest request = shared;
        for (const Direction& axis : built.axes)
            request.axes.push_back({axis.weights, axis.states, axis.resident});
        return backend->compile(request);
    };
    return std::make_unique<ModelSequence>(static_cast<std::size_t>(run.config.repeats), build);
}

}  // namespace

void RepeatSteps::prepare(PreparedRun& run, int threads, RunLog& log) const {
    LoadedModel model = load_origin(run, log);
    const auto count = static_cast<std::size_t>(run.config.repeats);
    Hasher directions;
    for (std::size_t r = 0; r < count; ++r)
        directions.add_text(
            hash_directions(build_directions(repetition_of(run.config, r), model, *run.backend, threads).axes));
    run.identity.set("directions", directions.hex());
    run.axes = build_directions(run.config, model, *run.backend, threads).axes;
    log.info(fmt::format("{} repetitions, seeds {} to {}; notes on directions are of the first one", count,
                         first_seed(run.config), first_seed(run.config) + run.config.repeats - 1));
    note_axes(run, log);
    require_runnable(*run.backend, make_request(model, run, threads), run.config.models.front().path.string());
    run.axes.clear();
    run.executable = make_repetitions(run, std::move(model), threads);
    const std::vector<double> x = linspace(run.config.x->min, run.config.x->max, run.config.x->points);
    std::vector<double> y;
    if (run.config.y) y = linspace(run.config.y->min, run.config.y->max, run.config.y->points);
    const bool has_accuracy = run.config.loss.has_classes();
    run.repeated =
        make_repeated(make_surface(x, y, run.config.splits, has_accuracy), first_seed(run.config), run.config.repeats);
    const std::size_t points = run.repeated->repeats.front().point_count();
    run.points_per_group = static_cast<std::int64_t>(points);
    std::vector<double> numbers;
    for (std::size_t k = 0; k < count * points; ++k) {
        const std::size_t repeat = k / points, point = k % points;
        std::vector<double> coordinates{static_cast<double>(repeat), x[point % x.size()]};
        if (!y.empty()) coordinates.push_back(y[point / x.size()]);
        run.points.push_back({std::move(coordinates)});
        numbers.push_back(static_cast<double>(k));
    }
    run.results = make_surface(std::move(numbers), {}, run.config.splits, has_accuracy);
}

std::string RepeatSteps::size_of(const Config& config) const {
    return fmt::format("{} x {}", config.repeats, LandscapeSteps::size_of(config));
}

/// The directions follow from the seeds and are not written: they would be the largest of all files.
ExperimentSteps::Files RepeatSteps::write_first(const PreparedRun&, const RunDirectory&) const { return {}; }

ExperimentSteps::Files RepeatSteps::write_numbers(const PreparedRun& run, const RunDirectory& directory) const {
    write_repeated_surface(directory / "surface.h5", *run.repeated);
    Files files{directory / "surface.h5"};
    const Files tables = write_tables(directory, spread_table(*run.repeated), spread_summary(*run.repeated));
    files.insert(files.end(), tables.begin(), tables.end());
    return files;
}

ExperimentSteps::Files RepeatSteps::draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
                                         const std::function<void()>& check) const {
    PlotOptions options;
    options.title = run.config.name;
    return draw_repeats(*run.repeated, repeat_kinds(*run.repeated), options, directory / "plots", "", log, check);
}

std::optional<ReportRun> RepeatSteps::report(const PreparedRun& run) const {
    return repeat_report(*run.repeated, run.config.name, run.resolved);
}

}  // namespace lossmap
