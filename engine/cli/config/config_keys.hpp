#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lossmap {

/// A key of the configuration.
struct ConfigKey {
    std::string_view name;
};

/// The keys of one kind of object; named as its definition in configs/lossmap.schema.json ("config" is the whole file).
struct ConfigSection {
    std::string_view name;
    std::span<const ConfigKey> keys;
};

/// The single list of keys: the parser refuses everything else, and a test compares the schema with it. `$schema` and
/// `comment` are allowed in every object and not listed.
[[nodiscard]] std::span<const ConfigSection> config_sections();
/// Throws InternalError when there is none of that name.
[[nodiscard]] const ConfigSection& config_section(std::string_view name);
[[nodiscard]] bool is_free_key(std::string_view key);

/// The candidate that a mistyped word most likely means, "" when none is near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace lossmap
