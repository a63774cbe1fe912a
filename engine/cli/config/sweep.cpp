#include "cli/config/sweep.hpp"

#include <algorithm>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/config/json_document.hpp"
#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kPointerExpected = "a JSON pointer such as /model, or a list of them";
constexpr std::string_view kAxisExpected = "an object with 'pointer' and 'values'";
constexpr std::size_t kLongestFolder = 80;
constexpr std::size_t kLongestName = 200;

struct ValuedAxis {
    SweepAxis axis;
    bool is_list = false;  ///< the pointers stand in a list, so each value is one, too
    std::vector<Json> values;
};

/// The last key.
std::string name_of(const std::string& pointer) { return pointer.substr(pointer.rfind('/') + 1); }

std::string parse_pointer(const JsonReader& reader) {
    std::string pointer = reader.text(kPointerExpected);
    if (pointer.front() != '/' || pointer.size() < 2) reader.mismatch(kPointerExpected);
    const auto lies_in = [&](std::string_view key) {
        return pointer == key || pointer.starts_with(std::string(key) + "/");
    };
    if (lies_in("/sweep")) reader.fail("a sweep cannot change itself");
    if (lies_in("/name")) reader.fail("runs of a sweep are named by their labels");
    return pointer;
}

std::vector<std::string> parse_pointers(const JsonReader& reader) {
    if (!reader.is_array()) return {parse_pointer(reader)};
    std::vector<std::string> pointers;
    for (const JsonReader& item : reader.items(kPointerExpected))
        pointers.push_back(parse_pointer(item));
    return pointers;
}

/// The value itself where it is a text, a number or a truth value.
std::string default_label(const Json& value, const JsonReader& axis) {
    if (value.is_structured() || value.is_null()) {
        static_cast<void>(axis.member("labels", "a label a value, since the values are no plain texts or numbers"));
    }
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<std::string> parse_labels(const JsonReader& reader, std::size_t values) {
    std::vector<std::string> labels;
    for (const JsonReader& item : reader.items("a list with a label a value")) {
        labels.push_back(item.text("a label"));
        if (std::find(labels.begin(), labels.end() - 1, labels.back()) != labels.end() - 1) {
            item.fail(fmt::format("the label '{}' stands there twice", labels.back()));
        }
    }
    if (labels.size() != values) reader.fail(fmt::format("has {} labels for {} values", labels.size(), values));
    return labels;
}

ValuedAxis parse_sweep_axis(const JsonReader& reader, const Json& json) {
    reader.require_section("sweep_axis", kAxisExpected);
    ValuedAxis result;
    result.axis.pointers = parse_pointers(reader.member("pointer", kPointerExpected));
    result.axis.name = name_of(result.axis.pointers.front());
    const std::vector<JsonReader> values = reader.member("values", "a list of values").items("a list of values");
    const std::size_t count = values.size();
    const std::size_t places = result.axis.pointers.size();
    result.is_list = reader.member("pointer", kPointerExpected).is_array();
    if (result.is_list) {
        const std::string expected = fmt::format("a list of {}, a value a pointer", places);
        for (const JsonReader& value : values) {
            if (value.all_items(expected).size() != places) value.mismatch(expected);
        }
    }
    for (const Json& value : json.at("values"))
        result.values.push_back(value);
    if (const auto labels = reader.find("labels")) {
        result.axis.labels = parse_labels(*labels, count);
    } else {
        for (const Json& value : result.values)
            result.axis.labels.push_back(default_label(value, reader));
    }
    return result;
}

/// Two pointers to the same place would undo each other.
void require_apart(const std::vector<ValuedAxis>& axes, const std::vector<JsonReader>& readers) {
    std::vector<std::pair<std::string, std::size_t>> all;  // pointer, its axis
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
        for (const std::string& pointer : axes[axis].axis.pointers)
            all.emplace_back(pointer, axis);
    }
    for (std::size_t a = 0; a < all.size(); ++a) {
        for (std::size_t b = 0; b < all.size(); ++b) {
            const auto& [inner, inner_axis] = all[a];
            const auto& [outer, outer_axis] = all[b];
            if (a == b || (inner != outer && !inner.starts_with(outer + "/"))) continue;
            readers[std::max(inner_axis, outer_axis)].fail(
                fmt::format("'{}' and '{}' change the same place", outer, inner));
        }
    }
}

std::vector<ValuedAxis> parse_axes(const JsonReader& sweep, const Json& json) {
    std::vector<ValuedAxis> axes;
    const std::vector<JsonReader> readers = sweep.items("a list of objects with 'pointer' and 'values'");
    std::size_t combinations = 1;
    for (std::size_t k = 0; k < readers.size(); ++k) {
        axes.push_back(parse_sweep_axis(readers[k], json[k]));
        combinations *= axes.back().values.size();
        if (combinations > kMostCombinations)
            sweep.fail(fmt::format("makes more than {} combinations", kMostCombinations));
    }
    require_apart(axes, readers);
    for (ValuedAxis& one : axes) {
        const auto same = [&](const ValuedAxis& other) {
            return &other != &one && name_of(other.axis.pointers.front()) == name_of(one.axis.pointers.front());
        };
        if (std::any_of(axes.begin(), axes.end(), same)) one.axis.name = one.axis.pointers.front().substr(1);
    }
    return axes;
}

/// What of a label can stand in a file name everywhere.
std::string slug(const std::string& label) {
    std::string result;
    for (const char c : label) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte < 0x80 && (std::isalnum(byte) != 0 || c == '.' || c == '_' || c == '-');
        if (plain) result += c;
        if (!plain && !result.empty() && result.back() != '_') result += '_';
    }
    while (!result.empty() && result.back() == '_')
        result.pop_back();
    return result;
}

std::string folder_name(std::size_t index, const std::vector<std::string>& labels) {
    std::string name = fmt::format("{:03}", index + 1);
    for (const std::string& label : labels) {
        const std::string part = slug(label);
        if (!part.empty()) name += "-" + part;
    }
    return name.substr(0, kLongestFolder);
}

std::string in_one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return text;
}

/// The title as a run's name can be.
std::string name_of_title(const std::string& title) {
    std::string name = in_one_line(title);
    std::replace(name.begin(), name.end(), '/', ':');
    if (name.front() == '.') name.front() = '_';
    std::size_t end = std::min(name.size(), kLongestName);
    while (end < name.size() && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80)
        --end;  // not inside a UTF-8 sequence
    return name.substr(0, end);
}

/// Puts one of the axis's values where it belongs.
void put_values(Json& document, const ValuedAxis& axis, std::size_t chosen, const std::string& where) {
    const std::vector<std::string>& pointers = axis.axis.pointers;
    const Json& value = axis.values[chosen];
    for (std::size_t place = 0; place < pointers.size(); ++place) {
        with_context(fmt::format("{}: {}", where, pointers[place]),
                     [&] { put_value(document, pointers[place], axis.is_list ? value[place] : value); });
    }
}

Combination combine(const Json& base, const std::vector<ValuedAxis>& axes, std::size_t index, const Sweep& sweep) {
    Json document = base;
    Combination result;
    std::vector<std::size_t> chosen(axes.size());
    std::size_t rest = index;
    for (std::size_t k = axes.size(); k-- > 0;) {
        chosen[k] = rest % axes[k].values.size();
        rest /= axes[k].values.size();
    }
    for (std::size_t k = 0; k < axes.size(); ++k) {
        const SweepAxis& axis = axes[k].axis;
        result.labels.push_back(axis.labels[chosen[k]]);
        put_values(document, axes[k], chosen[k], fmt::format("{}: /sweep/{}/pointer", sweep.file.string(), k));
    }
    result.title = fmt::format("{}", fmt::join(result.labels, ", "));
    result.folder = folder_name(index, result.labels);
    document["name"] = name_of_title(result.title);
    result.config = parse_config(JsonReader(document, sweep.file), sweep.file);
    return result;
}

}  // namespace

std::string Sweep::describe(std::size_t combination) const {
    std::size_t count = 1;
    std::vector<std::string> labels;
    std::size_t rest = combination;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
        count *= axis->labels.size();
        labels.insert(labels.begin(), axis->labels[rest % axis->labels.size()]);
        rest /= axis->labels.size();
    }
    return fmt::format("combination {} of {} ({})", combination + 1, count,
                       in_one_line(fmt::format("{}", fmt::join(labels, ", "))));
}

std::optional<Sweep> load_sweep(const fs::path& file, const std::vector<std::string>& overrides) {
    Json document = read_json(file);
    for (const std::string& text : overrides)
        apply_override(document, text);
    const JsonReader root(document, file);
    const auto reader = root.find("sweep");
    if (!reader) return std::nullopt;
    Sweep sweep;
    sweep.file = file;
    sweep.name = parse_name(root.find("name"), file);
    const std::vector<ValuedAxis> axes = parse_axes(*reader, document.at("sweep"));
    std::size_t count = 1;
    for (const ValuedAxis& one : axes) {
        sweep.axes.push_back(one.axis);
        count *= one.values.size();
    }
    Json base = document;
    base.erase("sweep");
    for (std::size_t k = 0; k < count; ++k) {
        with_context(sweep.describe(k), [&] { sweep.combinations.push_back(combine(base, axes, k, sweep)); });
    }
    return sweep;
}

}  // namespace lossmap
