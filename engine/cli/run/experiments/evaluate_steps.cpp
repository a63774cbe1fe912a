#include "cli/run/experiments/evaluate_steps.hpp"

#include "cli/run/network_request.hpp"
#include "cli/run/outputs.hpp"
#include "io/atomic_file.hpp"

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
    write_file_atomically(directory / "table.csv", table_csv(run.config.models, run.surface));
    write_file_atomically(directory / "table.md", table_markdown(run.config.models, run.surface));
    write_file_atomically(directory / "table.tex", table_latex(run.config.models, run.surface));
    return {directory / "table.csv", directory / "table.md", directory / "table.tex"};
}

}  // namespace lossmap
