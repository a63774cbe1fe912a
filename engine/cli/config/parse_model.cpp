#include "cli/config/natural_glob.hpp"
#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

constexpr std::string_view kModelExpected = "a path or an object with 'path' and 'parameters'";

ModelConfig model_at(const JsonReader& reader) {
    ModelConfig model;
    model.label = reader.text("a path");
    model.path = reader.network_path();
    return model;
}

std::vector<ModelConfig> matching_models(const JsonReader& reader) {
    std::vector<ModelConfig> models;
    for (const std::filesystem::path& path : expand_glob(reader.network_path()))
        models.push_back({path, std::nullopt, path.string()});
    if (models.empty()) reader.fail(fmt::format("no file matches '{}'", reader.network_path().string()));
    return models;
}

std::vector<std::string> patterns(const JsonReader& reader) {
    constexpr std::string_view kExpected = "a list of names or globs";
    std::vector<std::string> result;
    for (const JsonReader& item : reader.items(kExpected))
        result.push_back(item.text("a name or a glob"));
    return result;
}

}  // namespace

ModelConfig parse_model(const JsonReader& reader, ParameterRules* rules) {
    if (reader.is_text()) return model_at(reader);
    reader.require_section("model", kModelExpected);
    ModelConfig model = model_at(reader.member("path", "the path of an ONNX file"));
    const std::optional<JsonReader> parameters = reader.find("parameters");
    if (!parameters) return model;
    if (rules != nullptr && parameters->is_object()) {
        *rules = parse_rules(*parameters);
        return model;
    }
    model.checkpoint = parameters->network_path();
    const std::string kind = model.checkpoint->extension().string();
    if (kind != ".onnx" && kind != ".safetensors" && kind != ".npz") {
        parameters->mismatch("a checkpoint (.onnx, .safetensors or .npz)");
    }
    return model;
}

std::vector<ModelConfig> parse_models(const JsonReader& reader) {
    constexpr std::string_view kExpected = "a list of models or a glob";
    if (reader.is_text()) return matching_models(reader);
    std::vector<ModelConfig> models;
    for (const JsonReader& item : reader.items(kExpected)) {
        if (item.is_text() && is_glob(item.text("a path"))) {
            const std::vector<ModelConfig> matches = matching_models(item);
            models.insert(models.end(), matches.begin(), matches.end());
        } else {
            models.push_back(parse_model(item));
        }
    }
    return models;
}

std::vector<ModelConfig> parse_checkpoints(const JsonReader& reader, const std::optional<ModelConfig>& model) {
    std::vector<ModelConfig> checkpoints = parse_models(reader);
    for (ModelConfig& checkpoint : checkpoints) {
        const std::string kind = checkpoint.path.extension().string();
        if (kind != ".safetensors" && kind != ".npz") continue;
        if (!model) {
            reader.fail(fmt::format("'{}' has no graph: name the network that it belongs to under \"model\"",
                                    checkpoint.path.string()));
        }
        checkpoint.checkpoint = checkpoint.path;
        checkpoint.path = model->path;
    }
    return checkpoints;
}

ParameterRules parse_rules(const JsonReader& reader) {
    reader.require_section("parameters", "an object with 'include' and 'exclude'");
    ParameterRules rules;
    if (const auto include = reader.find("include")) rules.include = patterns(*include);
    if (const auto exclude = reader.find("exclude")) rules.exclude = patterns(*exclude);
    return rules;
}

}  // namespace lossmap
