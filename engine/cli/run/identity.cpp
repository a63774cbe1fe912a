#include "cli/run/identity.hpp"

#include <algorithm>
#include <bit>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "io/hash.hpp"

namespace lossmap {

void Identity::set(const std::string& part, const std::string& hash) { parts_.emplace_back(part, hash); }

Identity Identity::without(const std::string& part) const {
    Identity others;
    for (const auto& [name, hash] : parts_) {
        if (name != part) others.set(name, hash);
    }
    return others;
}

std::string Identity::whole() const {
    Hasher hasher;
    hasher.add_text("run 1");
    for (const auto& [part, hash] : parts_)
        hasher.add_text(part).add_text(hash);
    return hasher.hex();
}

bool Identity::has_part(const std::string& name) const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part.first == name; });
}

std::string Identity::part(const std::string& name) const {
    for (const auto& [part, hash] : parts_) {
        if (part == name) return hash;
    }
    throw InternalError("the identity has no part '{}'", name);
}

std::string Identity::json() const {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    for (const auto& [part, hash] : parts_)
        json[part] = hash;
    return json.dump();
}

std::optional<Identity> Identity::parse(const std::string& json) {
    const nlohmann::ordered_json parts = nlohmann::ordered_json::parse(json, nullptr, false);
    if (!parts.is_object()) return std::nullopt;
    Identity identity;
    for (const auto& [part, hash] : parts.items()) {
        if (!hash.is_string()) return std::nullopt;
        identity.set(part, hash.get<std::string>());
    }
    return identity;
}

std::string Identity::differing_parts(const std::string& text) const {
    const nlohmann::json other = nlohmann::json::parse(text, nullptr, false);
    if (!other.is_object()) return {};
    std::string names;
    for (const auto& [part, hash] : parts_) {
        const auto found = other.find(part);
        if (found != other.end() && found->is_string() && found->get<std::string>() == hash) continue;
        names += (names.empty() ? "" : ", ") + part;
    }
    return names;
}

std::string hash_text(const std::string& text) { return Hasher().add_text(text).hex(); }

std::string hash_parameters(const ParameterSpace& space) {
    Hasher hasher;
    const auto add = [&](const std::vector<Parameter>& parameters) {
        hasher.add_integer(static_cast<std::int64_t>(parameters.size()));
        for (const Parameter& parameter : parameters) {
            hasher.add_text(parameter.name).add_text(to_string(parameter.shape)).add_text(name_of(parameter.role));
            hasher.add_integer(parameter.filters.outer).add_integer(parameter.filters.count);
            hasher.add_integer(parameter.filters.inner).add_integer(parameter.one_dimensional ? 1 : 0);
        }
    };
    add(space.weights);
    add(space.states);
    return hasher.hex();
}

std::string hash_directions(const std::vector<Direction>& axes) {
    Hasher hasher;
    hasher.add_integer(static_cast<std::int64_t>(axes.size()));
    for (const Direction& axis : axes) {
        hasher.add_integer(static_cast<std::int64_t>(axis.weights.size()));
        hasher.update(std::as_bytes(std::span(axis.weights)));
        hasher.add_integer(static_cast<std::int64_t>(axis.states.size()));
        hasher.update(std::as_bytes(std::span(axis.states)));
    }
    return hasher.hex();
}

std::string hash_passes(const PassSet& passes) {
    Hasher hasher;
    for (const PassInfo& pass : pass_table())
        hasher.add_text(std::string(pass.name)).add_integer(passes.*pass.enabled ? 1 : 0);
    return hasher.hex();
}

std::string hash_grid(const Config& config) {
    Hasher hasher;
    hasher.add_text(name_of(config.experiment));
    for (const auto* axis : {&config.x, &config.y}) {
        hasher.add_integer(axis->has_value() ? 1 : 0);
        if (!axis->has_value()) continue;
        hasher.add_integer(std::bit_cast<std::int64_t>((*axis)->min))
            .add_integer(std::bit_cast<std::int64_t>((*axis)->max));
        hasher.add_integer((*axis)->points);
    }
    for (const std::string& split : config.splits)
        hasher.add_text(split);
    return hasher.hex();
}

}  // namespace lossmap
