#include "cli/commands/configured.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"

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

/// Puts what is not part of the experiment over a configuration. Throws InputError where there is nothing to share.
void put_over(Config& config, const RunArguments& arguments) {
    config.plan_cache = arguments.plan_cache;
    if (arguments.shard.empty()) return;
    config.shard = parse_shard(arguments.shard);
    if (!is_landscape(config.experiment)) {
        throw InputError("{}: --shard shares the points of a surface, of which experiment '{}' has none",
                         config.file.string(), name_of(config.experiment));
    }
    if (config.refine) {
        throw InputError(
            "{}: /refine: --shard cannot share points that are chosen from the results of all others; leave one of the "
            "two out",
            config.file.string());
    }
}

}  // namespace

Config load_configured(const std::filesystem::path& file, const RunArguments& arguments) {
    Config config = load_config(file, overrides_of(arguments));
    put_over(config, arguments);
    return config;
}

std::optional<Sweep> load_configured_sweep(const std::filesystem::path& file, const RunArguments& arguments) {
    std::optional<Sweep> sweep = load_sweep(file, overrides_of(arguments));
    if (!sweep) return {};
    for (Combination& combination : sweep->combinations)
        put_over(combination.config, arguments);
    return sweep;
}

}  // namespace lossmap
