#include "cli/run/experiments/weight_norm_steps.hpp"

#include <cmath>

#include "cli/run/model_figures.hpp"
#include "cli/run/model_source.hpp"
#include "cli/run/model_tables.hpp"
#include "cli/run/outputs.hpp"
#include "cli/run/report_parts.hpp"
#include "io/hash.hpp"

namespace lossmap {
namespace {

constexpr int kEveryDigit = 17;
constexpr int kDigitsForPeople = 5;

}  // namespace

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
    return write_tables(directory, norm_table(run.config, run.norms, kEveryDigit),
                        norm_table(run.config, run.norms, kDigitsForPeople));
}

ExperimentSteps::Files WeightNormSteps::draw(const PreparedRun& run, const RunDirectory& directory, RunLog&,
                                             const std::function<void()>& check) const {
    return draw_figures(directory, norm_figures(run.config, run.norms), check);
}

std::optional<ReportRun> WeightNormSteps::report(const PreparedRun& run) const {
    return table_report(run, norm_table(run.config, run.norms, kDigitsForPeople), norm_figures(run.config, run.norms));
}

}  // namespace lossmap
