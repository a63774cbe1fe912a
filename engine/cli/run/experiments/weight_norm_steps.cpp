#include "cli/run/experiments/weight_norm_steps.hpp"

#include <cmath>

#include "cli/run/model_results.hpp"
#include "cli/run/model_source.hpp"
#include "cli/run/outputs.hpp"
#include "io/hash.hpp"

namespace lossmap {
void WeightNormSteps::prepare(PreparedRun& run, int, RunLog& log) const {
    Hasher models;
    Hasher parameters;
    for (const ModelConfig& config : run.config.models) {
        const LoadedModel model = load_model(config, run.config.rules);
        for (const std::string& note : model.notes)
            log.warning(fmt::format("{}: {}", config.label, note));
        run.norms.push_back(weight_norms(model.origin.weights, model.space));
        if (!std::isfinite(run.norms.back().all)) log.warning(fmt::format("{}: a weight is not finite", config.label));
        models.add_text(model.content_hash);
        parameters.add_text(hash_parameters(model.space));
    }
    run.identity.set("model", models.hex());
    run.identity.set("parameters", parameters.hex());
}

std::string WeightNormSteps::size_of(const Config& config) const {
    return fmt::format("{} checkpoints", config.models.size());
}

ExperimentSteps::Files WeightNormSteps::write_numbers(const PreparedRun& run, const RunDirectory& directory) const {
    return write_tables(directory, exact_table(model_results(run)), brief_table(model_results(run)));
}

ExperimentSteps::Files WeightNormSteps::draw(const PreparedRun& run, const RunDirectory& directory, RunLog&,
                                             const std::function<void()>& check) const {
    return draw_figures(figures_of(model_results(run)), PlotFormat::svg, directory / "plots", "", check);
}

std::optional<ReportRun> WeightNormSteps::report(const PreparedRun& run) const {
    return model_page(model_results(run), run.resolved);
}

}  // namespace lossmap
