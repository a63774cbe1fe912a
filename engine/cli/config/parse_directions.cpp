#include <limits>

#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

enum class Kind : std::uint8_t { random, file, difference, pca };
constexpr std::pair<std::string_view, Kind> kKinds[] = {
    {"random", Kind::random}, {"file", Kind::file}, {"difference", Kind::difference}, {"pca", Kind::pca}};
constexpr std::pair<std::string_view, Normalization> kNormalizations[] = {
    {"filter", Normalization::filter},   {"layer", Normalization::layer},   {"weight", Normalization::weight},
    {"dfilter", Normalization::dfilter}, {"dlayer", Normalization::dlayer}, {"none", Normalization::none}};
constexpr std::pair<std::string_view, bool IgnoreSet::*> kIgnored[] = {{"bias", &IgnoreSet::bias},
                                                                       {"batch_norm", &IgnoreSet::batch_norm},
                                                                       {"norm", &IgnoreSet::norm},
                                                                       {"1d", &IgnoreSet::one_dimensional}};

constexpr std::string_view kStatisticsExpected = "an object with 'count' and 'batch'";

const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::random: return "random";
        case Kind::file: return "file";
        case Kind::difference: return "difference";
        case Kind::pca: return "pca";
    }
    throw InternalError("unknown kind of directions {}", static_cast<int>(kind));
}

/// Refuses options of another kind, so that none is left out silently.
void require_fitting_keys(const JsonReader& reader, Kind kind) {
    const std::pair<const char*, Kind> uses[] = {{"seed", Kind::random},     {"normalization", Kind::random},
                                                 {"ignore", Kind::random},   {"path", Kind::file},
                                                 {"prefix", Kind::file},     {"models", Kind::difference},
                                                 {"move", Kind::difference}, {"statistics", Kind::difference},
                                                 {"checkpoints", Kind::pca}, {"components", Kind::pca},
                                                 {"center", Kind::pca}};
    for (const auto& [key, user] : uses) {
        const auto found = reader.find(key);
        const bool shared = kind == Kind::pca && std::string_view(key) == "ignore";
        if (found && kind != user && !shared) {
            found->fail(
                fmt::format("is an option of directions of kind '{}', not of '{}'", name_of(user), name_of(kind)));
        }
    }
}

IgnoreSet parse_ignore(const JsonReader& reader) {
    IgnoreSet ignore;
    for (const JsonReader& item : reader.all_items("a list of bias, batch_norm, norm and 1d"))
        ignore.*item.choice(kIgnored) = true;
    return ignore;
}

RandomDirection parse_random(const JsonReader& reader) {
    RandomDirection random;
    if (const auto seed = reader.find("seed")) random.seed = seed->seed();
    if (const auto normalization = reader.find("normalization"))
        random.normalization = normalization->choice(kNormalizations);
    if (const auto ignore = reader.find("ignore")) random.ignore = parse_ignore(*ignore);
    return random;
}

FileDirection parse_file(const JsonReader& reader, std::int64_t axes) {
    const JsonReader path = reader.member("path", "the path of a direction file");
    FileDirection file{path.path(), {}};
    const std::string kind = file.path.extension().string();
    const bool by_name = kind == ".npz" || kind == ".safetensors";
    if (!by_name && kind != ".h5" && kind != ".hdf5") path.mismatch("a .h5, .npz or .safetensors file");
    if (by_name && axes > 1) {
        path.fail(
            "holds one direction, but the grid has two axes: give each its own, "
            "\"directions\": {\"x\": {..}, \"y\": {..}}");
    }
    if (const auto prefix = reader.find("prefix")) {
        if (!by_name) prefix->fail("is for .npz and .safetensors files");
        file.prefix = prefix->text("a prefix of the arrays' names");
    }
    return file;
}

DifferenceDirection parse_difference(const JsonReader& reader, std::int64_t axes) {
    const JsonReader models = reader.member("models", "a list of one model an axis");
    DifferenceDirection difference;
    for (const JsonReader& item : models.items("a list of one model an axis"))
        difference.models.push_back(parse_model(item));
    if (static_cast<std::int64_t>(difference.models.size()) != axes) {
        models.fail(
            fmt::format("has {} models, but there are {} axes to give a direction", difference.models.size(), axes));
    }
    parse_move(reader, difference);
    return difference;
}

StatisticsConfig parse_statistics(const JsonReader& reader) {
    constexpr std::pair<std::string_view, std::string_view> kSplits[] = {{"train", "train"}, {"test", "test"}};
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    reader.require_section("statistics", kStatisticsExpected);
    StatisticsConfig statistics;
    if (const auto split = reader.find("split")) statistics.split = split->choice(kSplits);
    statistics.count = reader.member("count", "a number of samples").integer(1, kMost);
    statistics.batch = reader.member("batch", "a number of samples a batch").integer(1, kMost);
    return statistics;
}

/// Statistics belong to a point, not to an axis.
void require_one_kind_of_statistics(const JsonReader& reader, const DirectionsConfig& directions) {
    const DifferenceDirection* first = nullptr;
    for (const DirectionConfig& entry : directions.entries) {
        const auto* difference = std::get_if<DifferenceDirection>(&entry);
        if (difference == nullptr || difference->move == Move::weights) continue;
        if (first != nullptr && (first->move != difference->move || first->statistics != difference->statistics)) {
            reader.fail("the axes treat the statistics of batch norms in different ways");
        }
        first = difference;
    }
}

/// `first`: number of the axis that the first component is for.
PcaDirection parse_pca(const JsonReader& reader, const DirectionScope& scope, int first) {
    PcaDirection pca;
    if (const auto checkpoints = reader.find("checkpoints")) {
        pca.checkpoints = parse_checkpoints(*checkpoints, scope.model);
        if (pca.checkpoints.size() < 2) checkpoints->fail("a path needs at least two checkpoints");
    } else if (!scope.has_path) {
        static_cast<void>(reader.member("checkpoints", "a list of checkpoints or a glob"));
    }
    if (const auto components = reader.find("components")) {
        for (const JsonReader& item : components->items("a list with a component an axis"))
            pca.components.push_back(static_cast<int>(item.integer(1, 1'000'000)));
        if (static_cast<std::int64_t>(pca.components.size()) != scope.axes) {
            components->fail(
                fmt::format("has {} components, there are {} axes to take one", pca.components.size(), scope.axes));
        }
    } else {
        for (int axis = 0; axis < scope.axes; ++axis)
            pca.components.push_back(first + axis + 1);
    }
    if (const auto center = reader.find("center")) pca.center = center->boolean();
    if (const auto ignore = reader.find("ignore")) pca.ignore = parse_ignore(*ignore);
    return pca;
}

/// One directions object that serves scope.axes axes, of which the first one has the number `first`.
DirectionConfig parse_one(const JsonReader& reader, const DirectionScope& scope, int first) {
    // The kind comes first: what it lacks is said by its name and not by one of its keys.
    if (!reader.is_object()) reader.mismatch("an object with 'kind'");
    const JsonReader kind = reader.member("kind", "random, file, difference or pca");
    const Kind chosen = kind.choice(kKinds);
    reader.require_section("directions", "an object with 'kind'");
    require_fitting_keys(reader, chosen);
    switch (chosen) {
        case Kind::random: return parse_random(reader);
        case Kind::file: return parse_file(reader, scope.axes);
        case Kind::pca: return parse_pca(reader, scope, first);
        default: return parse_difference(reader, scope.axes);
    }
}

}  // namespace

void parse_move(const JsonReader& reader, DifferenceDirection& difference) {
    constexpr std::pair<std::string_view, Move> kMoves[] = {
        {"weights", Move::weights}, {"states", Move::states}, {"reestimate", Move::reestimate}};
    if (const auto move = reader.find("move")) difference.move = move->choice(kMoves);
    if (difference.move == Move::reestimate) {
        difference.statistics = parse_statistics(reader.member("statistics", kStatisticsExpected));
    } else if (const auto statistics = reader.find("statistics")) {
        statistics->fail("is for \"move\": \"reestimate\"");
    }
}

DirectionsConfig parse_directions(const JsonReader& reader, const DirectionScope& scope) {
    DirectionScope one = scope;
    one.axes = 1;
    DirectionsConfig directions;
    directions.by_axis = reader.is_object() && !reader.has("kind") && (reader.has("x") || reader.has("y"));
    if (!directions.by_axis) {
        directions.entries.push_back(parse_one(reader, scope, 0));
        return directions;
    }
    reader.require_section("directions_by_axis", "an object with 'x' and 'y'");
    directions.entries.push_back(parse_one(reader.member("x", "a directions object"), one, 0));
    if (scope.axes == 1) {
        if (const auto y = reader.find("y")) y->fail("there is no axis 'y' in the configuration");
        return directions;
    }
    directions.entries.push_back(parse_one(reader.member("y", "a directions object"), one, 1));
    require_one_kind_of_statistics(reader, directions);
    return directions;
}

}  // namespace lossmap
