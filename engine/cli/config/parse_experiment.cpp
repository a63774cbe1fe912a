#include "cli/config/parsers.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kMostPointsOfAnAxis = 100'000;
constexpr std::int64_t kMostPoints = 1'000'000'000;
constexpr std::int64_t kAutoPoints = 51;
constexpr std::string_view kAxisExpected = "an object with 'min', 'max' and 'points'";
constexpr std::string_view kModelExpected = "the path of an ONNX file";

/// min < max, or equal for one point.
void require_order(const JsonReader& reader, const GridAxis& axis) {
    if (axis.points == 1 && axis.min != axis.max) {
        reader.fail(fmt::format("1 point needs min = max, they are {} and {}", axis.min, axis.max));
    }
    if (axis.points > 1 && !(axis.min < axis.max)) {
        reader.fail(fmt::format("expected min < max, they are {} and {}", axis.min, axis.max));
    }
}

std::int64_t parse_points(const JsonReader& reader) { return reader.integer(1, kMostPointsOfAnAxis); }

/// A number, or "auto" (which leaves `value` alone and returns true).
bool parse_end(const JsonReader& reader, double& value) {
    constexpr std::string_view kExpected = "a number or \"auto\"";
    if (reader.is_text()) {
        if (reader.text(kExpected) != "auto") reader.mismatch(kExpected);
        return true;
    }
    value = reader.number(kExpected);
    return false;
}

void require_countable(const JsonReader& root, const Config& config) {
    if (!config.y || config.x->points * config.y->points <= kMostPoints) return;
    root.fail(fmt::format("/x and /y make {} points, at most {} are possible", config.x->points * config.y->points,
                          kMostPoints));
}

}  // namespace

GridAxis parse_axis(const JsonReader& reader) {
    reader.require_section("axis", kAxisExpected);
    if (const auto margin = reader.find("margin")) margin->fail("is for the automatic ranges of a trajectory");
    GridAxis axis;
    const JsonReader min = reader.member("min", "a number");
    const JsonReader max = reader.member("max", "a number");
    axis.min = min.number();
    axis.max = max.number();
    axis.points = parse_points(reader.member("points", "a number of points"));
    require_order(reader, axis);
    return axis;
}

GridAxis parse_auto_axis(const JsonReader& reader) {
    GridAxis axis;
    axis.auto_min = axis.auto_max = true;
    axis.points = kAutoPoints;
    if (reader.is_text()) {
        if (reader.text("\"auto\" or an object") != "auto") reader.mismatch("\"auto\" or an object");
        return axis;
    }
    reader.require_section("axis", "\"auto\" or an object with 'min', 'max', 'points' and 'margin'");
    if (const auto min = reader.find("min")) axis.auto_min = parse_end(*min, axis.min);
    if (const auto max = reader.find("max")) axis.auto_max = parse_end(*max, axis.max);
    if (const auto points = reader.find("points")) axis.points = parse_points(*points);
    if (const auto margin = reader.find("margin")) {
        if (!axis.auto_min && !axis.auto_max) margin->fail("is for ends that are \"auto\"");
        constexpr std::string_view kExpected = "a number from 0 to 100";
        axis.margin = margin->number(kExpected);
        if (axis.margin < 0.0 || axis.margin > 100.0) margin->mismatch(kExpected);
    }
    if (!axis.auto_min && !axis.auto_max) require_order(reader, axis);
    if (axis.points == 1 && (axis.auto_min || axis.auto_max)) reader.fail("1 point needs min = max");
    return axis;
}

void parse_surface(const JsonReader& root, Config& config) {
    config.models.push_back(parse_model(root.member("model", kModelExpected), &config.rules));
    config.x = parse_axis(root.member("x", kAxisExpected));
    if (const auto y = root.find("y")) config.y = parse_axis(*y);
    require_countable(root, config);
    if (const auto directions = root.find("directions")) {
        config.directions = parse_directions(*directions, {config.axis_count(), config.models.front(), false});
    } else {
        config.directions.entries.emplace_back(RandomDirection{});
    }
}

void parse_repeat(const JsonReader& root, Config& config) {
    parse_surface(root, config);
    constexpr std::int64_t kMostRepeats = 1000;
    config.repeats = root.member("count", "the number of repetitions").integer(2, kMostRepeats);
    const auto directions = root.find("directions");
    if (config.directions.by_axis) directions->fail("repeated directions are one object for all axes");
    const auto* random = std::get_if<RandomDirection>(&config.directions.entries.front());
    if (random == nullptr) {
        directions->member("kind", "random")
            .fail("only random directions can be repeated, each time with another seed");
    }
    constexpr std::uint64_t kMostSeed = std::uint64_t{1} << 62;
    if (random->seed > kMostSeed)
        directions->member("seed", "a number").fail("repeated directions need a seed of at most 2^62");
    const std::int64_t points = config.x->points * (config.y ? config.y->points : 1);
    if (points > kMostPoints / config.repeats)
        root.fail(fmt::format("{} repetitions of {} points are more than the {} that are possible", config.repeats,
                              points, kMostPoints));
}

void parse_interpolation(const JsonReader& root, Config& config) {
    config.models.push_back(parse_model(root.member("model", kModelExpected), &config.rules));
    DifferenceDirection difference;
    difference.models.push_back(parse_model(root.member("to", "the network at 1, an ONNX file")));
    parse_move(root, difference);
    config.directions.entries.emplace_back(std::move(difference));
    GridAxis beyond_both;
    beyond_both.min = -0.5;
    beyond_both.max = 1.5;
    beyond_both.points = kAutoPoints;
    config.x = beyond_both;
    if (const auto x = root.find("x")) config.x = parse_axis(*x);
}

void parse_trajectory(const JsonReader& root, Config& config) {
    std::optional<ModelConfig> model;
    if (const auto reader = root.find("model")) model = parse_model(*reader, &config.rules);
    config.paths = parse_paths(root, model);
    config.models.push_back(config.paths.front().checkpoints.back());
    const auto x = root.find("x");
    const auto y = root.find("y");
    GridAxis whole;
    whole.points = kAutoPoints;
    whole.auto_min = whole.auto_max = true;
    config.x = config.y = whole;
    if (x) config.x = parse_auto_axis(*x);
    if (y) config.y = parse_auto_axis(*y);
    require_countable(root, config);
    if (const auto plane = root.find("plane")) {
        config.directions = parse_directions(*plane, {2, model, true});
        return;
    }
    PcaDirection leading;
    leading.components = {1, 2};
    config.directions.entries.emplace_back(std::move(leading));
}

}  // namespace lossmap
