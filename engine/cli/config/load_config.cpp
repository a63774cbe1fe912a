#include "cli/config/load_config.hpp"

#include <algorithm>
#include <limits>
#include <regex>

#include <nlohmann/json.hpp>

#include "cli/config/json_document.hpp"
#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMostPointsOfAnAxis = 100'000;
constexpr std::int64_t kMostPoints = 1'000'000'000;

/// Refuses what the interface names and this version does not have, by its name.
Experiment parse_experiment(const JsonReader& root) {
    enum class Named : std::uint8_t { surface, interpolation, trajectory, evaluate, weight_norm, repeat };
    constexpr std::pair<std::string_view, Named> kNames[] = {
        {"surface", Named::surface},   {"interpolation", Named::interpolation}, {"trajectory", Named::trajectory},
        {"evaluate", Named::evaluate}, {"weight_norm", Named::weight_norm},     {"repeat", Named::repeat}};
    const JsonReader reader = root.member("experiment", "surface or evaluate");
    const Named named = reader.choice(kNames);
    if (named == Named::surface) return Experiment::surface;
    if (named == Named::evaluate) return Experiment::evaluate;
    reader.unavailable(fmt::format("experiment '{}'", reader.text("a name")));
}

/// Refuses keys of the other experiment, so that none is left out silently.
void require_fitting_keys(const JsonReader& root, Experiment experiment) {
    const std::pair<const char*, Experiment> uses[] = {{"model", Experiment::surface},
                                                       {"models", Experiment::evaluate},
                                                       {"directions", Experiment::surface},
                                                       {"x", Experiment::surface},
                                                       {"y", Experiment::surface}};
    for (const auto& [key, user] : uses) {
        const auto found = root.find(key);
        if (found && experiment != user) {
            found->fail(fmt::format("is not used by experiment '{}'", name_of(experiment)));
        }
    }
}

/// The name stands in paths ("runs/NAME").
std::string parse_name(const std::optional<JsonReader>& reader, const std::filesystem::path& file) {
    constexpr std::string_view kExpected = "a name without '/', control characters or a leading '.'";
    if (!reader) return file.stem().string();
    const std::string name = reader->text(kExpected);
    const bool sound =
        name.front() != '.' && name.size() <= 200 &&
        std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/'; });
    if (!sound) reader->mismatch(kExpected);
    return name;
}

void parse_surface(const JsonReader& root, Config& config) {
    config.models.push_back(parse_model(root.member("model", "the path of an ONNX file"), &config.rules));
    config.x = parse_axis(root.member("x", "an object with 'min', 'max' and 'points'"));
    if (const auto y = root.find("y")) {
        config.y = parse_axis(*y);
        if (config.x->points * config.y->points > kMostPoints) {
            root.fail(fmt::format("/x and /y make {} points, at most {} are possible",
                                  config.x->points * config.y->points, kMostPoints));
        }
    }
    if (const auto directions = root.find("directions")) {
        config.directions = parse_directions(*directions, config.axis_count());
    } else {
        config.directions.entries.emplace_back(RandomDirection{});
    }
}

Config parse_config(const JsonReader& root, const std::filesystem::path& file) {
    Config config;
    config.file = file;
    if (!root.is_object()) root.mismatch("an object");
    config.experiment = parse_experiment(root);
    root.require_section("config", "an object");
    require_fitting_keys(root, config.experiment);
    config.name = parse_name(root.find("name"), file);
    if (config.experiment == Experiment::surface) {
        parse_surface(root, config);
    } else {
        config.models = parse_models(root.member("models", "a list of models or a glob"));
    }
    if (const auto rules = root.find("parameters")) {
        if (!config.rules.include.empty() || !config.rules.exclude.empty()) {
            rules->fail("stands in /model/parameters already");
        }
        config.rules = parse_rules(*rules);
    }
    config.data = parse_data(root.member("data", "an object with 'format' and files"));
    config.splits = parse_splits(root.find("splits"), config.data);
    if (const auto loss = root.find("loss")) config.loss = parse_loss(*loss);
    if (const auto device = root.find("device")) config.device = parse_device(*device);
    if (const auto precision = root.find("precision")) config.precision = parse_precision(*precision);
    return config;
}

}  // namespace

const char* name_of(Experiment experiment) { return experiment == Experiment::surface ? "surface" : "evaluate"; }

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

GridAxis parse_axis(const JsonReader& reader) {
    reader.require_section("axis", "an object with 'min', 'max' and 'points'");
    GridAxis axis;
    const JsonReader min = reader.member("min", "a number");
    const JsonReader max = reader.member("max", "a number");
    axis.min = min.number();
    axis.max = max.number();
    axis.points = reader.member("points", "a number of points").integer(1, kMostPointsOfAnAxis);
    if (axis.points == 1 && axis.min != axis.max) {
        reader.fail(fmt::format("1 point needs min = max, they are {} and {}", axis.min, axis.max));
    }
    if (axis.points > 1 && !(axis.min < axis.max)) {
        reader.fail(fmt::format("expected min < max, they are {} and {}", axis.min, axis.max));
    }
    return axis;
}

std::string parse_device(const JsonReader& reader) {
    static const std::regex pattern("auto|cpu|cuda|cuda:[0-9]+(,[0-9]+)*");
    std::string device = reader.text("auto, cpu, cuda or cuda:0,1");
    if (device.size() > 200 || !std::regex_match(device, pattern)) reader.mismatch("auto, cpu, cuda or cuda:0,1");
    return device;
}

Precision parse_precision(const JsonReader& reader) {
    constexpr std::pair<std::string_view, Precision> kNames[] = {
        {"fp32", Precision::fp32}, {"tf32", Precision::tf32}, {"fp16", Precision::fp16}, {"bf16", Precision::bf16}};
    return reader.choice(kNames);
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    nlohmann::ordered_json document = read_json(file);
    for (const std::string& text : overrides)
        apply_override(document, text);
    return parse_config(JsonReader(document, file), file);
}

}  // namespace lossmap
