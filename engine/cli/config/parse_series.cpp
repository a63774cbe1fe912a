#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

/// What a key of models holds, and of which experiment it is.
struct SeriesKeys {
    const char* models;  ///< "models" or "checkpoints"
    std::string_view expected;
    bool has_labels = false;
    bool always_in_order = false;
};

/// The network whose graph takes checkpoints without one.
std::optional<ModelConfig> parse_graph(const JsonReader& reader, Config& config) {
    const auto model = reader.find("model");
    if (!model) return std::nullopt;
    return parse_model(*model, &config.rules);
}

void parse_labels(const JsonReader& reader, const ModelSeries& series, Config& config) {
    const std::vector<JsonReader> items = reader.items("a list with a name a model");
    if (items.size() != series.count)
        reader.fail(fmt::format("has {} names for {} models", items.size(), series.count));
    for (std::size_t k = 0; k < items.size(); ++k)
        config.models[series.first + k].label = items[k].text("a name");
}

/// Appends the models of one training run, or one list, which stand in `reader` beside what is said of them.
void add_series(const JsonReader& reader, const SeriesKeys& keys, const std::optional<ModelConfig>& graph,
                std::string label, Config& config) {
    const JsonReader list = reader.member(keys.models, keys.expected);
    const std::vector<ModelConfig> models = parse_checkpoints(list, graph);
    ModelSeries series;
    series.label = std::move(label);
    series.first = config.models.size();
    series.count = models.size();
    config.models.insert(config.models.end(), models.begin(), models.end());
    if (const auto epochs = reader.find("epochs")) series.epochs = parse_checkpoint_numbers(*epochs, series.count);
    if (const auto iterations = reader.find("iterations"))
        series.iterations = parse_checkpoint_numbers(*iterations, series.count);
    if (const auto labels = reader.find("labels")) {
        if (!keys.has_labels) refuse_keys(reader, {"labels"}, config.experiment);
        parse_labels(*labels, series, config);
    }
    series.in_order = keys.always_in_order || !series.epochs.empty() || !series.iterations.empty();
    config.series.push_back(std::move(series));
}

/// All runs count in the same way, or no axis would hold all of them.
void require_same_numbers(const JsonReader& runs, const Config& config) {
    const ModelSeries& first = config.series.front();
    for (const ModelSeries& series : config.series) {
        if (series.epochs.empty() == first.epochs.empty() && series.iterations.empty() == first.iterations.empty())
            continue;
        runs.fail("either all runs have 'epochs' or none, and likewise 'iterations'");
    }
}

void add_runs(const JsonReader& runs, const SeriesKeys& keys, const std::optional<ModelConfig>& graph, Config& config) {
    SeriesKeys in_run = keys;
    in_run.models = "checkpoints";
    in_run.expected = "a list of checkpoints or a glob";
    in_run.always_in_order = true;
    std::vector<std::string> labels;
    for (const JsonReader& item : runs.items("a list of runs")) {
        item.require_section("run", "an object with 'label' and 'checkpoints'");
        refuse_keys(item, {"lr_drops"}, config.experiment);
        labels.push_back(parse_run_label(item.member("label", "a name"), labels));
        std::optional<ModelConfig> own;
        if (const auto model = item.find("model")) own = parse_model(*model);
        add_series(item, in_run, own ? own : graph, labels.back(), config);
    }
    require_same_numbers(runs, config);
}

void parse_all_series(const JsonReader& root, const SeriesKeys& keys, Config& config) {
    const std::optional<ModelConfig> graph = parse_graph(root, config);
    const auto runs = root.find("runs");
    if (!runs) {
        add_series(root, keys, graph, "", config);
        return;
    }
    for (const char* key : {keys.models, "epochs", "iterations", "labels"}) {
        if (const auto found = root.find(key)) found->fail("stands in each of /runs where there are several runs");
    }
    add_runs(*runs, keys, graph, config);
}

}  // namespace

void parse_evaluate(const JsonReader& root, Config& config) {
    parse_all_series(root, {"models", "a list of models or a glob", true, false}, config);
}

void parse_weight_norm(const JsonReader& root, Config& config) {
    parse_all_series(root, {"checkpoints", "a list of checkpoints or a glob", false, true}, config);
}

}  // namespace lossmap
