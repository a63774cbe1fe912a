#include "cli/run/experiments/landscape_steps.hpp"

#include <algorithm>

#include "cli/run/data_source.hpp"
#include "cli/run/direction_source.hpp"
#include "cli/run/network_request.hpp"
#include "cli/run/outputs.hpp"
#include "core/error.hpp"
#include "landscape/reestimating_executable.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

std::int64_t moving_entries(const std::vector<Direction>& axes) {
    std::int64_t count = 0;
    const auto add = [&](const auto segment) {
        std::size_t size = 0;
        for (const Direction& axis : axes)
            size = std::max(size, (axis.*segment).size());
        for (std::size_t k = 0; k < size; ++k) {
            const bool moves = std::any_of(axes.begin(), axes.end(), [&](const Direction& axis) {
                return k < (axis.*segment).size() && (axis.*segment)[k] != 0.0f;
            });
            count += moves ? 1 : 0;
        }
    };
    add(&Direction::weights);
    add(&Direction::states);
    return count;
}

/// Statistics replace whatever the axes would do to them.
void require_still_states(const PreparedRun& run) {
    const bool move = std::any_of(run.axes.begin(), run.axes.end(), [](const Direction& axis) {
        return std::any_of(axis.states.begin(), axis.states.end(), [](float value) { return value != 0.0F; });
    });
    if (!move) return;
    throw InputError("{}: a direction moves the statistics of batch norms, which \"move\": \"reestimate\" replaces",
                     run.config.file.string());
}

/// The network, which estimates its batch-norm statistics at each point where the configuration says so.
void compile_landscape(PreparedRun& run, const LoadedModel& model, int threads) {
    ExecutableRequest request = make_request(model, run, threads);
    const std::string file = run.config.models.front().path.string();
    const StatisticsConfig* config = run.config.statistics();
    if (config == nullptr) {
        require_runnable(*run.backend, request, file);
        run.executable = run.backend->compile(request);
        return;
    }
    require_still_states(run);
    run.statistics = open_statistics(run.config, run.data.front()->inputs());
    const StatisticsSamples samples{run.statistics, config->batch};
    request.statistics_batches = samples.batch_sizes();
    require_runnable(*run.backend, request, file);
    run.executable = std::make_unique<ReestimatingExecutable>(run.backend->compile(request), samples, run.stop);
    run.identity.set("statistics", hash_text(fmt::format("{} {}", run.statistics->content_hash(), config->batch)));
}

std::string statistics_note(const PreparedRun& run) {
    const StatisticsConfig& statistics = *run.config.statistics();
    return fmt::format(
        "statistics of batch norms are estimated at each point from the first {} samples of '{}' in "
        "batches of {}",
        statistics.count, statistics.split, std::min(statistics.batch, statistics.count));
}

std::vector<PlotKind> kinds_of(const PreparedRun& run) {
    std::vector<PlotKind> kinds = default_kinds(run.surface);
    if (run.plane) kinds.insert(kinds.begin(), PlotKind::trajectory);
    return kinds;
}

ExperimentSteps::Files draw_kinds(const PreparedRun& run, const std::vector<PlotKind>& kinds,
                                  const RunDirectory& directory, RunLog& log, const std::function<void()>& check) {
    const fs::path folder = directory / "plots";
    fs::create_directories(folder);
    PlotOptions options;
    options.title = run.config.name;
    options.plane = run.plane;
    return draw_pictures(run.surface, kinds, options, folder, "", log, check);
}

}  // namespace

void LandscapeSteps::prepare(PreparedRun& run, int threads, RunLog& log) const {
    const LoadedModel model = load_origin(run, log);
    make_axes(run, model, threads, log);
    note_axes(run, log);
    lay_grid(run, model, threads);
    if (run.statistics) log.info(statistics_note(run));
}

std::string LandscapeSteps::size_of(const Config& config) const {
    if (config.y) return fmt::format("{} x {} points", config.x->points, config.y->points);
    return fmt::format("{} points", config.x->points);
}

LoadedModel LandscapeSteps::load_origin(PreparedRun& run, RunLog& log) {
    LoadedModel model = load_model(run.config.models.front(), run.config.rules);
    for (const std::string& note : model.notes)
        log.warning(note);
    run.data = open_data(run.config, model.graph, run.backend->prefers_bytes());
    require_alike(run);
    run.space = model.space;
    run.identity.set("model", model.content_hash);
    run.identity.set("parameters", hash_parameters(model.space));
    return model;
}

std::vector<std::string> LandscapeSteps::make_axes(PreparedRun& run, const LoadedModel& model, int threads,
                                                   RunLog& log) {
    BuiltDirections built = build_directions(run.config, model, *run.backend, threads);
    run.axes = std::move(built.axes);
    if (built.pca) {
        run.direction_notes.singular_values = built.pca->singular_values;
        run.direction_notes.explained_variance = built.pca->explained_variance;
        run.direction_notes.explained_variance_ratio = built.pca->explained_variance_ratio;
        run.direction_notes.components = built.pca_components;
    }
    for (const std::string& note : built.notes)
        log.warning(note);
    return built.labels;
}

void LandscapeSteps::note_axes(PreparedRun& run, RunLog& log) {
    for (std::size_t axis = 0; axis < run.axes.size(); ++axis) {
        if (moving_entries({run.axes[axis]}) == 0) {
            log.warning(fmt::format("the direction of axis {} is zero: nothing moves along it", axis == 0 ? "x" : "y"));
        }
    }
    if (run.axes.size() < 2) return;
    const std::int64_t entries = moving_entries(run.axes);
    run.direction_notes.cosine = cosine(run.axes[0], run.axes[1]);
    run.direction_notes.expected_cosine = expected_absolute_cosine(std::max<std::int64_t>(1, entries));
    log.info(fmt::format("cosine of the directions {:.6f}; two random ones of {} entries have {:.6f} on average",
                         *run.direction_notes.cosine, entries, *run.direction_notes.expected_cosine));
}

void LandscapeSteps::lay_grid(PreparedRun& run, const LoadedModel& model, int threads) {
    compile_landscape(run, model, threads);
    const std::vector<double> x = linspace(run.config.x->min, run.config.x->max, run.config.x->points);
    std::vector<double> y;
    if (run.config.y) y = linspace(run.config.y->min, run.config.y->max, run.config.y->points);
    for (const double b : y) {
        for (const double a : x)
            run.points.push_back({{a, b}});
    }
    for (std::size_t k = 0; y.empty() && k < x.size(); ++k)
        run.points.push_back({{x[k]}});
    run.surface = make_surface(x, y, run.config.splits, run.config.loss.has_classes());
    run.surface.direction_file = "direction.h5";
}

ExperimentSteps::Files LandscapeSteps::write_first(const PreparedRun& run, const RunDirectory& directory) const {
    write_directions(directory / "direction.h5", run.axes, run.space, run.direction_notes);
    return {directory / "direction.h5"};
}

ExperimentSteps::Files LandscapeSteps::write_numbers(const PreparedRun& run, const RunDirectory& directory) const {
    write_surface(directory / "surface.h5", run.surface);
    return {directory / "surface.h5"};
}

ExperimentSteps::Files LandscapeSteps::draw(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
                                            const std::function<void()>& check) const {
    return draw_kinds(run, kinds_of(run), directory, log, check);
}

ExperimentSteps::Files LandscapeSteps::preview(const PreparedRun& run, const RunDirectory& directory, RunLog& log,
                                               const std::function<void()>& check) const {
    return draw_kinds(run, {kinds_of(run).front()}, directory, log, check);
}

std::optional<ReportRun> LandscapeSteps::report(const PreparedRun& run) const {
    return ReportRun{run.config.name, run.surface, run.resolved, run.plane};
}

}  // namespace lossmap
