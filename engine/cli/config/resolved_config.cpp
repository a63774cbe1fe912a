#include "cli/config/resolved_config.hpp"

#include <nlohmann/json.hpp>

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string absolute_path(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

Json absolute_list(const std::vector<fs::path>& paths) {
    Json list = Json::array();
    for (const fs::path& path : paths)
        list.push_back(absolute_path(path));
    return list;
}

Json model_json(const ModelConfig& model) {
    if (!model.checkpoint) return absolute_path(model.path);
    return {{"path", absolute_path(model.path)}, {"parameters", absolute_path(*model.checkpoint)}};
}

Json models_json(const std::vector<ModelConfig>& models) {
    Json list = Json::array();
    for (const ModelConfig& model : models)
        list.push_back(model_json(model));
    return list;
}

Json files_json(const DataSpec& spec) {
    switch (spec.format) {
        case DataFormat::idx: {
            Json files{{"images", absolute_list(spec.files.images)}};
            if (!spec.files.labels.empty()) files["labels"] = absolute_list(spec.files.labels);
            return files;
        }
        case DataFormat::npy: {
            Json files = Json::object();
            for (const auto& [name, path] : spec.files.arrays)
                files[name] = absolute_path(path);
            return files;
        }
        default: return absolute_list(spec.files.files);
    }
}

Json subset_json(const SubsetSpec& subset) {
    if (subset.stratified) return {{"count", *subset.count}, {"seed", subset.seed}, {"stratified", true}};
    Json json{{"start", subset.start}};
    if (subset.count) json["count"] = *subset.count;
    return json;
}

Json data_json(const DataConfig& data) {
    Json json{{"format", name_of(data.format)}};
    const DataSpec& any = data.splits.begin()->second;
    Json subsets = Json::object();
    for (const char* name : {"train", "test"}) {
        const auto split = data.splits.find(name);
        if (split == data.splits.end()) continue;
        if (data.format != DataFormat::synthetic) json[name] = files_json(split->second);
        if (split->second.subset) subsets[name] = subset_json(*split->second.subset);
    }
    if (!any.mean.empty()) json["normalize"] = {{"mean", any.mean}, {"std", any.std}};
    if (!subsets.empty()) json["subset"] = subsets;
    if (!any.inputs.empty()) json["inputs"] = any.inputs;
    if (data.format == DataFormat::npz || data.format == DataFormat::npy) json["target"] = any.target;
    if (data.format == DataFormat::synthetic) {
        json["count"] = any.synthetic_count;
        json["seed"] = data.splits.at("train").synthetic_seed;
    }
    if (data.chunk) json["chunk"] = *data.chunk;
    return json;
}

Json ignore_json(const IgnoreSet& ignore) {
    Json list = Json::array();
    if (ignore.bias) list.push_back("bias");
    if (ignore.batch_norm) list.push_back("batch_norm");
    if (ignore.norm) list.push_back("norm");
    if (ignore.one_dimensional) list.push_back("1d");
    return list;
}

/// `move` and, where it has them, `statistics`.
Json move_json(const DifferenceDirection& difference) {
    Json json{{"move", name_of(difference.move)}};
    if (!difference.statistics) return json;
    const StatisticsConfig& statistics = *difference.statistics;
    json["statistics"] = {{"split", statistics.split}, {"count", statistics.count}, {"batch", statistics.batch}};
    return json;
}

struct DirectionJson {
    Json operator()(const RandomDirection& random) const {
        return {{"kind", "random"},
                {"seed", random.seed},
                {"normalization", name_of(random.normalization)},
                {"ignore", ignore_json(random.ignore)}};
    }
    Json operator()(const FileDirection& file) const {
        Json json{{"kind", "file"}, {"path", absolute_path(file.path)}};
        if (!file.prefix.empty()) json["prefix"] = file.prefix;
        return json;
    }
    Json operator()(const DifferenceDirection& difference) const {
        Json json{{"kind", "difference"}, {"models", models_json(difference.models)}};
        json.update(move_json(difference));
        return json;
    }
    Json operator()(const PcaDirection& pca) const {
        Json json{{"kind", "pca"}};
        if (!pca.checkpoints.empty()) json["checkpoints"] = models_json(pca.checkpoints);
        json["components"] = pca.components;
        json["center"] = pca.center;
        json["ignore"] = ignore_json(pca.ignore);
        return json;
    }
};

Json axis_json(const GridAxis& axis) {
    Json json{{"min", axis.min}, {"max", axis.max}, {"points", axis.points}};
    if (axis.auto_min) json["min"] = "auto";
    if (axis.auto_max) json["max"] = "auto";
    if (axis.auto_min || axis.auto_max) json["margin"] = axis.margin;
    return json;
}

Json path_json(const PathConfig& path) {
    Json json = Json::object();
    if (!path.label.empty()) json["label"] = path.label;
    json["checkpoints"] = models_json(path.checkpoints);
    if (!path.epochs.empty()) json["epochs"] = path.epochs;
    if (!path.iterations.empty()) json["iterations"] = path.iterations;
    if (!path.lr_drops.empty()) json["lr_drops"] = path.lr_drops;
    return json;
}

/// One list of models, or several training runs.
Json series_json(const Config& config) {
    const auto one = [&](const ModelSeries& series, const char* key) {
        Json models = Json::array();
        Json labels = Json::array();
        for (std::size_t k = 0; k < series.count; ++k) {
            models.push_back(model_json(config.models[series.first + k]));
            labels.push_back(config.models[series.first + k].label);
        }
        Json json{{key, std::move(models)}};
        if (!series.epochs.empty()) json["epochs"] = series.epochs;
        if (!series.iterations.empty()) json["iterations"] = series.iterations;
        if (config.experiment == Experiment::evaluate) json["labels"] = std::move(labels);
        return json;
    };
    if (config.series.size() == 1 && config.series.front().label.empty())
        return one(config.series.front(), config.experiment == Experiment::evaluate ? "models" : "checkpoints");
    Json runs = Json::array();
    for (const ModelSeries& series : config.series) {
        Json run{{"label", series.label}};
        run.update(one(series, "checkpoints"));
        runs.push_back(std::move(run));
    }
    return {{"runs", std::move(runs)}};
}

/// The networks of an experiment, and what it does with them.
Json networks_json(const Config& config) {
    switch (config.experiment) {
        case Experiment::surface: return {{"model", model_json(config.models.front())}};
        case Experiment::repeat: return {{"model", model_json(config.models.front())}, {"count", config.repeats}};
        case Experiment::evaluate:
        case Experiment::weight_norm: return series_json(config);
        case Experiment::interpolation: {
            const auto& difference = std::get<DifferenceDirection>(config.directions.entries.front());
            Json json{{"model", model_json(config.models.front())}, {"to", model_json(difference.models.front())}};
            json.update(move_json(difference));
            return json;
        }
        case Experiment::trajectory: break;
    }
    if (config.paths.front().label.empty()) return path_json(config.paths.front());
    Json runs = Json::array();
    for (const PathConfig& path : config.paths)
        runs.push_back(path_json(path));
    return {{"runs", runs}};
}

}  // namespace

Json resolved_loss(const LossSpec& loss) {
    Json json{{"kind", name_of(loss.kind)}};
    switch (loss.kind) {
        case LossKind::cross_entropy:
            json["class_axis"] = loss.class_axis;
            if (loss.ignore_index) json["ignore_index"] = *loss.ignore_index;
            json["label_smoothing"] = loss.label_smoothing;
            if (!loss.class_weights.empty()) json["class_weights"] = loss.class_weights;
            break;
        case LossKind::mse:
            json["targets"] = loss.one_hot_targets ? "one_hot" : "values";
            json["activation"] = loss.softmax_activation ? "softmax" : "none";
            break;
        case LossKind::huber: json["delta"] = loss.delta; break;
        case LossKind::output:
            if (!loss.output_name.empty()) json["name"] = loss.output_name;
            break;
        case LossKind::mae:
        case LossKind::bce_with_logits: break;
    }
    return json;
}

Json resolved_directions(const DirectionsConfig& directions) {
    if (directions.entries.empty()) return nullptr;
    if (!directions.by_axis) return std::visit(DirectionJson{}, directions.entries.front());
    Json json{{"x", std::visit(DirectionJson{}, directions.entries.front())}};
    if (directions.entries.size() > 1) json["y"] = std::visit(DirectionJson{}, directions.entries[1]);
    return json;
}

Json resolved_json(const Config& config) {
    Json json{{"name", config.name}, {"experiment", name_of(config.experiment)}};
    json.update(networks_json(config));
    Json rules = Json::object();
    if (!config.rules.include.empty()) rules["include"] = config.rules.include;
    if (!config.rules.exclude.empty()) rules["exclude"] = config.rules.exclude;
    if (!rules.empty()) json["parameters"] = rules;
    if (needs_data(config.experiment)) {
        json["data"] = data_json(config.data);
        json["splits"] = config.splits;
        json["loss"] = resolved_loss(config.loss);
    }
    if (config.experiment == Experiment::surface || config.experiment == Experiment::repeat)
        json["directions"] = resolved_directions(config.directions);
    if (config.experiment == Experiment::trajectory) json["plane"] = resolved_directions(config.directions);
    if (config.x) json["x"] = axis_json(*config.x);
    if (config.y) json["y"] = axis_json(*config.y);
    if (config.refine) json["refine"] = {{"initial", config.refine->initial}, {"tolerance", config.refine->tolerance}};
    if (config.grow_from) {
        json["grow"] = true;
        json["from"] = absolute_path(*config.grow_from);
    }
    json["device"] = config.device;
    if (needs_data(config.experiment)) {
        json["precision"] = name_of(config.precision);
        for (const PassInfo& pass : pass_table())
            json["passes"][std::string(pass.name)] = config.passes.*pass.enabled;
    }
    return json;
}

}  // namespace lossmap
