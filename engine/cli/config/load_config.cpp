#include "cli/config/load_config.hpp"

#include <algorithm>
#include <regex>

#include <nlohmann/json.hpp>

#include "cli/config/json_document.hpp"
#include "cli/config/parsers.hpp"
#include "cli/config/precision_names.hpp"

namespace lossmap {
namespace {

Experiment parse_experiment(const JsonReader& root) {
    using enum Experiment;
    constexpr std::pair<std::string_view, Experiment> kNames[] = {
        {"surface", surface},   {"interpolation", interpolation}, {"trajectory", trajectory},
        {"evaluate", evaluate}, {"weight_norm", weight_norm},     {"repeat", repeat}};
    return root.member("experiment", "surface, interpolation, trajectory, evaluate, weight_norm or repeat")
        .choice(kNames);
}

/// Refuses keys of other experiments, so that none is left out silently.
void require_fitting_keys(const JsonReader& root, Experiment experiment) {
    using enum Experiment;
    const std::vector<Experiment> evaluations{surface, interpolation, trajectory, evaluate, repeat};
    const std::pair<const char*, std::vector<Experiment>> uses[] = {
        {"model", {surface, interpolation, trajectory, evaluate, weight_norm, repeat}},
        {"models", {evaluate}},
        {"labels", {evaluate}},
        {"runs", {trajectory, evaluate, weight_norm}},
        {"directions", {surface, repeat}},
        {"count", {repeat}},
        {"x", {surface, interpolation, trajectory, repeat}},
        {"y", {surface, trajectory, repeat}},
        {"to", {interpolation}},
        {"move", {interpolation}},
        {"statistics", {interpolation}},
        {"checkpoints", {trajectory, weight_norm}},
        {"plane", {trajectory}},
        {"iterations", {trajectory, evaluate, weight_norm}},
        {"epochs", {trajectory, evaluate, weight_norm}},
        {"lr_drops", {trajectory}},
        {"refine", {surface, interpolation, trajectory}},
        {"grow", {surface, interpolation, trajectory}},
        {"from", {surface, interpolation, trajectory}},
        {"data", evaluations},
        {"splits", evaluations},
        {"loss", evaluations},
        {"precision", evaluations}};
    for (const auto& [key, users] : uses) {
        const auto found = root.find(key);
        if (found && std::find(users.begin(), users.end(), experiment) == users.end()) {
            found->fail(fmt::format("is not used by experiment '{}'", name_of(experiment)));
        }
    }
}

}  // namespace

const char* name_of(Experiment experiment) {
    switch (experiment) {
        case Experiment::surface: return "surface";
        case Experiment::interpolation: return "interpolation";
        case Experiment::trajectory: return "trajectory";
        case Experiment::evaluate: return "evaluate";
        case Experiment::weight_norm: return "weight_norm";
        case Experiment::repeat: return "repeat";
    }
    throw InternalError("unknown experiment {}", static_cast<int>(experiment));
}

std::vector<ModelConfig> Config::path_checkpoints() const {
    std::vector<ModelConfig> all;
    for (const PathConfig& path : paths)
        all.insert(all.end(), path.checkpoints.begin(), path.checkpoints.end());
    return all;
}

bool is_landscape(Experiment experiment) {
    return experiment != Experiment::evaluate && experiment != Experiment::weight_norm;
}

bool needs_data(Experiment experiment) { return experiment != Experiment::weight_norm; }

const char* name_of(Move move) {
    switch (move) {
        case Move::weights: return "weights";
        case Move::states: return "states";
        case Move::reestimate: return "reestimate";
    }
    throw InternalError("unknown move {}", static_cast<int>(move));
}

const StatisticsConfig* Config::statistics() const {
    for (const DirectionConfig& entry : directions.entries) {
        const auto* difference = std::get_if<DifferenceDirection>(&entry);
        if (difference != nullptr && difference->statistics) return &*difference->statistics;
    }
    return nullptr;
}

const char* name_of(DataFormat format) {
    switch (format) {
        case DataFormat::cifar10: return "cifar10";
        case DataFormat::idx: return "idx";
        case DataFormat::npz: return "npz";
        case DataFormat::npy: return "npy";
        case DataFormat::synthetic: return "synthetic";
    }
    throw InternalError("unknown data format {}", static_cast<int>(format));
}

std::string parse_device(const JsonReader& reader) {
    static const std::regex pattern("auto|cpu|cuda|cuda:[0-9]+(,[0-9]+)*");
    std::string device = reader.text("auto, cpu, cuda or cuda:0,1");
    if (device.size() > 200 || !std::regex_match(device, pattern)) reader.mismatch("auto, cpu, cuda or cuda:0,1");
    return device;
}

Precision parse_precision(const JsonReader& reader) { return reader.choice(kPrecisionNames); }

std::string parse_name(const std::optional<JsonReader>& reader, const std::filesystem::path& file) {
    constexpr std::string_view kExpected = "a name without '/', control characters or a leading '.'";
    if (!reader) return file.stem().string();
    std::string name = reader->text(kExpected);
    const bool sound =
        name.front() != '.' && name.size() <= 200 &&
        std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/'; });
    if (!sound) reader->mismatch(kExpected);
    return name;
}

Config parse_config(const JsonReader& document, const std::filesystem::path& file) {
    Config config;
    config.file = file;
    if (!document.is_object()) document.mismatch("an object");
    const std::optional<JsonReader> networks = document.find("networks");
    const JsonReader root = networks ? document.with_networks(networks->path()) : document;
    config.experiment = parse_experiment(root);
    root.require_section("config", "an object");
    if (const auto sweep = root.find("sweep")) sweep->fail("describes several runs where one is expected");
    require_fitting_keys(root, config.experiment);
    config.name = parse_name(root.find("name"), file);
    switch (config.experiment) {
        case Experiment::surface: parse_surface(root, config); break;
        case Experiment::interpolation: parse_interpolation(root, config); break;
        case Experiment::trajectory: parse_trajectory(root, config); break;
        case Experiment::repeat: parse_repeat(root, config); break;
        case Experiment::evaluate: parse_evaluate(root, config); break;
        case Experiment::weight_norm: parse_weight_norm(root, config); break;
    }
    if (const auto refine = root.find("refine")) config.refine = parse_refine(*refine);
    config.grow_from = parse_grow(root);
    if (const auto rules = root.find("parameters")) {
        if (!config.rules.include.empty() || !config.rules.exclude.empty()) {
            rules->fail("stands in /model/parameters already");
        }
        config.rules = parse_rules(*rules);
    }
    if (const auto device = root.find("device")) config.device = parse_device(*device);
    if (!needs_data(config.experiment)) return config;
    config.data = parse_data(root.member("data", "an object with 'format' and files"));
    config.splits = parse_splits(root.find("splits"), config.data);
    const StatisticsConfig* statistics = config.statistics();
    if (statistics != nullptr && !config.data.splits.contains(statistics->split)) {
        root.member("data", "an object")
            .fail(fmt::format("has no split '{}', from which statistics are to be estimated", statistics->split));
    }
    if (const auto loss = root.find("loss")) config.loss = parse_loss(*loss);
    if (const auto precision = root.find("precision")) config.precision = parse_precision(*precision);
    if (const auto passes = root.find("passes")) config.passes = parse_passes(*passes);
    return config;
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    nlohmann::ordered_json document = read_json(file);
    for (const std::string& text : overrides)
        apply_override(document, text);
    return parse_config(JsonReader(document, file), file);
}

}  // namespace lossmap
