#include "cli/run/experiments/evaluate_steps.hpp"

#include "cli/run/model_results.hpp"
#include "cli/run/network_request.hpp"
#include "cli/run/outputs.hpp"

namespace lossmap {

void EvaluateSteps::prepare(PreparedRun& run, int threads, RunLog& log) const {
    const auto [models, parameters] = check_models(run, run.config.models, threads, log);
    run.executable = make_sequence(run, run.config.models, threads);
    run.points_per_block = 1;  // with several each chunk would build every model of a block again
    const std::size_t count = run.config.models.size();
    std::vector<double> numbers;
    for (std::size_t k = 0; k < count; ++k) {
        numbers.push_back(static_cast<double>(k));
        run.points.push_back({{static_cast<double>(k)}});
    }
    run.surface = make_surface(numbers, {}, run.config.splits, run.config.loss.has_classes());
    run.identity.set("model", models);
    run.identity.set("parameters", parameters);
}

std::string EvaluateSteps::size_of(const Config& config) const {
    return fmt::format("{} models", config.models.size());
}

ExperimentSteps::Files EvaluateSteps::write_numbers(const PreparedRun& run, const RunDirectory& directory) const {
    return write_tables(directory, exact_table(model_results(run)), brief_table(model_results(run)));
}

ExperimentSteps::Files EvaluateSteps::draw(const PreparedRun& run, const RunDirectory& directory, RunLog&,
                                           const std::function<void()>& check) const {
    return draw_figures(figures_of(model_results(run)), PlotFormat::svg, directory / "plots", "", check);
}

std::optional<ReportRun> EvaluateSteps::report(const PreparedRun& run) const {
    return model_page(model_results(run), run.resolved);
}

}  // namespace lossmap
