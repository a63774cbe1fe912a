#include "cli/config/json_reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/config/config_keys.hpp"
#include "cli/config/json_document.hpp"

namespace lossmap {
namespace {

std::string escaped(std::string_view token) {
    std::string result;
    for (const char c : token) {
        if (c == '~')
            result += "~0";
        else if (c == '/')
            result += "~1";
        else
            result += c;
    }
    return result;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
    const std::string near = nearest(word, known);
    if (!near.empty()) return fmt::format("did you mean '{}'?", near);
    return fmt::format("expected one of {}", fmt::join(known, ", "));
}

}  // namespace

bool JsonReader::is_object() const { return value_->is_object(); }
bool JsonReader::is_array() const { return value_->is_array(); }
bool JsonReader::is_text() const { return value_->is_string(); }
JsonReader JsonReader::with_networks(std::filesystem::path folder) const {
    JsonReader result = *this;
    result.networks_ = std::move(folder);
    return result;
}

JsonReader JsonReader::inner(const nlohmann::ordered_json& value, std::string_view key) const {
    JsonReader result = *this;
    result.value_ = &value;
    result.pointer_ += '/';
    result.pointer_ += escaped(key);
    return result;
}

bool JsonReader::equals(std::string_view text) const {
    return value_->is_string() && value_->get_ref<const std::string&>() == text;
}

void JsonReader::require_section(std::string_view section, std::string_view expected) const {
    if (!is_object()) mismatch(expected);
    const ConfigSection& known = config_section(section);
    for (const auto& [key, value] : value_->items()) {
        if (is_free_key(key)) continue;
        std::vector<std::string> names;
        for (const ConfigKey& entry : known.keys)
            names.emplace_back(entry.name);
        if (std::find(names.begin(), names.end(), key) != names.end()) continue;
        inner(value, key).fail("unknown key, " + suggestion(key, names));
    }
}

bool JsonReader::has(std::string_view key) const { return is_object() && value_->contains(std::string(key)); }

std::optional<JsonReader> JsonReader::find(std::string_view key) const {
    if (!has(key)) return std::nullopt;
    return inner(value_->at(std::string(key)), key);
}

JsonReader JsonReader::member(std::string_view key, std::string_view expected) const {
    if (const std::optional<JsonReader> found = find(key)) return *found;
    throw InputError("{}: {}/{}: is missing, expected {}", file_.string(), pointer_, escaped(key), expected);
}

std::vector<std::string> JsonReader::keys() const {
    std::vector<std::string> result;
    for (const auto& [key, value] : value_->items()) {
        if (!is_free_key(key)) result.push_back(key);
    }
    return result;
}

std::vector<JsonReader> JsonReader::items(std::string_view expected) const {
    if (is_array() && value_->empty()) mismatch(expected);
    return all_items(expected);
}

std::vector<JsonReader> JsonReader::all_items(std::string_view expected) const {
    if (!is_array()) mismatch(expected);
    std::vector<JsonReader> result;
    for (std::size_t k = 0; k < value_->size(); ++k)
        result.push_back(inner((*value_)[k], std::to_string(k)));
    return result;
}

std::string JsonReader::text(std::string_view expected) const {
    if (!value_->is_string() || value_->get_ref<const std::string&>().empty()) mismatch(expected);
    return value_->get<std::string>();
}

std::filesystem::path JsonReader::path() const { return path_in(file_.parent_path()); }

std::filesystem::path JsonReader::network_path() const { return path_in(networks_.value_or(file_.parent_path())); }

std::filesystem::path JsonReader::path_in(const std::filesystem::path& folder) const {
    const std::string name = text("a path");
    if (name.find('\0') != std::string::npos) mismatch("a path");
    return (folder / name).lexically_normal();
}

bool JsonReader::boolean() const {
    if (!value_->is_boolean()) mismatch("true or false");
    return value_->get<bool>();
}

double JsonReader::number(std::string_view expected) const {
    if (!value_->is_number() || !std::isfinite(value_->get<double>())) mismatch(expected);
    return value_->get<double>();
}

std::int64_t JsonReader::integer(std::int64_t min, std::int64_t max) const {
    const auto expected = [&] {
        const bool open = max == std::numeric_limits<std::int64_t>::max();
        return open ? fmt::format("an integer of at least {}", min) : fmt::format("an integer from {} to {}", min, max);
    };
    if (value_->is_number_unsigned() && value_->get<std::uint64_t>() > static_cast<std::uint64_t>(max)) {
        mismatch(expected());
    }
    if (!value_->is_number_integer()) mismatch(expected());
    const auto value = value_->get<std::int64_t>();
    if (value < min || value > max) mismatch(expected());
    return value;
}

std::uint64_t JsonReader::seed() const {
    // is_number_unsigned() holds for numbers that were parsed; --set parses, too.
    if (!value_->is_number_unsigned()) mismatch("an integer of at least 0");
    return value_->get<std::uint64_t>();
}

void JsonReader::mismatch(std::string_view expected) const {
    throw InputError("{}expected {}, got {}", where(), expected, describe(*value_));
}

void JsonReader::fail(const std::string& sentence) const { throw InputError("{}{}", where(), sentence); }

void JsonReader::unknown_name(const std::vector<std::string>& known) const {
    if (!value_->is_string()) mismatch(fmt::format("one of {}", fmt::join(known, ", ")));
    const std::string near = nearest(value_->get_ref<const std::string&>(), known);
    throw InputError("{}expected one of {}, got {}{}", where(), fmt::join(known, ", "), describe(*value_),
                     near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near));
}

std::string JsonReader::where() const {
    return pointer_.empty() ? file_.string() + ": " : file_.string() + ": " + pointer_ + ": ";
}

}  // namespace lossmap
