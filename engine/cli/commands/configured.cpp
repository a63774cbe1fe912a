#include "cli/commands/configured.hpp"

#include <nlohmann/json.hpp>

namespace lossmap {
namespace {

std::vector<std::string> overrides_of(const RunArguments& arguments) {
    std::vector<std::string> overrides = arguments.overrides;
    const auto put = [&](const std::string& pointer, const std::string& value) {
        // As JSON text, so that a value is a string whatever it looks like.
        if (!value.empty()) overrides.push_back(pointer + "=" + nlohmann::json(value).dump());
    };
    put("/device", arguments.device);
    put("/precision", arguments.precision);
    for (const std::string& pass : arguments.disabled_passes)
        overrides.push_back("/passes/" + pass + "=false");
    return overrides;
}

}  // namespace

Config load_configured(const std::filesystem::path& file, const RunArguments& arguments) {
    Config config = load_config(file, overrides_of(arguments));
    config.plan_cache = arguments.plan_cache;
    return config;
}

std::optional<Sweep> load_configured_sweep(const std::filesystem::path& file, const RunArguments& arguments) {
    std::optional<Sweep> sweep = load_sweep(file, overrides_of(arguments));
    if (!sweep) return {};
    for (Combination& combination : sweep->combinations)
        combination.config.plan_cache = arguments.plan_cache;
    return sweep;
}

}  // namespace lossmap
