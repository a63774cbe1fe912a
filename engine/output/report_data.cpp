#include "output/report_data.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "output/text.hpp"

namespace lossmap {

namespace {

using Json = nlohmann::ordered_json;

Json number(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return value;
}
Json number(std::int64_t value) { return value; }
Json number(std::uint8_t value) { return static_cast<int>(value); }

/// Indices 0, stride, 2 stride, ..
std::vector<std::size_t> kept_indices(std::size_t count, std::size_t stride) {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < count; i += stride)
        indices.push_back(i);
    return indices;
}

/// Points of a surface that the page holds, in surface order.
std::vector<std::size_t> kept_points(const Surface& surface, std::size_t stride) {
    std::vector<std::size_t> points;
    const std::size_t ny = surface.is_line() ? 1 : surface.y.size();
    for (const std::size_t iy : kept_indices(ny, stride)) {
        for (const std::size_t ix : kept_indices(surface.x.size(), stride))
            points.push_back(iy * surface.x.size() + ix);
    }
    return points;
}

/// One value when all are equal: most of a run's counts are.
template <typename T>
Json values_of(const std::vector<T>& values, const std::vector<std::size_t>& points, const SplitSurface& split,
               std::size_t count) {
    if (values.size() != count)
        throw InputError("split '{}' does not have one value for each of {} points", split.name, count);
    Json first = number(values[points.front()]);
    const bool constant =
        std::all_of(points.begin(), points.end(), [&](std::size_t k) { return number(values[k]) == first; });
    if (constant) return first;
    Json array = Json::array();
    for (const std::size_t k : points)
        array.push_back(number(values[k]));
    return array;
}

Json axis_of(const std::vector<double>& axis, std::size_t stride) {
    Json array = Json::array();
    for (const std::size_t i : kept_indices(axis.size(), stride))
        array.push_back(number(axis[i]));
    return array;
}

/// Readable where it is JSON, as it is where it is not.
std::string pretty(const std::string& text) {
    const Json parsed = Json::parse(text, nullptr, false);
    return parsed.is_discarded() ? valid_utf8(text) : parsed.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json split_json(const SplitSurface& split, const std::vector<std::size_t>& points, std::size_t count) {
    Json json;
    json["name"] = split.name;
    json["has_accuracy"] = split.has_accuracy;
    json["loss"] = values_of(split.loss, points, split, count);
    json["accuracy"] = values_of(split.accuracy, points, split, count);
    json["standard_error"] = values_of(split.standard_error, points, split, count);
    json["done"] = values_of(split.done, points, split, count);
    json["samples"] = values_of(split.samples, points, split, count);
    json["non_finite"] = values_of(split.non_finite, points, split, count);
    return json;
}

/// Checkpoints of a path: coordinates, names, where the learning rate dropped, losses of a split.
Json path_json(const TrajectoryPath& path) {
    const auto numbers = [](const std::vector<double>& values) {
        Json array = Json::array();
        for (const double value : values)
            array.push_back(number(value));
        return array;
    };
    Json json{{"x", numbers(path.x)}, {"y", numbers(path.y)}, {"distance", numbers(path.distance)}};
    json["names"] = path.checkpoints;
    json["drops"] = path.lr_drops;
    json["labels"] = path.axis_labels;
    json["losses"] = Json::array();
    for (const PathLosses& losses : path.losses) {
        json["losses"].push_back({{"split", losses.split},
                                  {"checkpoint", numbers(losses.checkpoint_loss)},
                                  {"plane", numbers(losses.plane_loss)}});
    }
    return json;
}

Json run_json(const ReportRun& run, std::size_t stride) {
    const Surface& surface = run.surface;
    if (surface.x.empty()) throw InputError("run '{}' has no points", run.title);
    const std::vector<std::size_t> points = kept_points(surface, stride);
    Json json;
    json["title"] = run.title;
    json["stride"] = stride;
    json["full"] = surface.is_line() ? Json{surface.x.size()} : Json{surface.x.size(), surface.y.size()};
    json["x"] = axis_of(surface.x, stride);
    json["y"] = axis_of(surface.y, stride);
    json["splits"] = Json::array();
    for (const SplitSurface& split : surface.splits)
        json["splits"].push_back(split_json(split, points, surface.point_count()));
    if (run.path) json["path"] = path_json(*run.path);
    json["config"] = pretty(run.resolved_config);
    json["provenance"] = pretty(surface.provenance);
    return json;
}

}  // namespace

std::string report_data(const std::vector<ReportRun>& runs, std::size_t stride) {
    Json page;
    page["runs"] = Json::array();
    for (const ReportRun& run : runs) {
        page["runs"].push_back(with_context(fmt::format("run '{}'", run.title), [&] { return run_json(run, stride); }));
    }
    return escape_json_for_html(page.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string escape_json_for_html(const std::string& json) {
    std::string result;
    result.reserve(json.size() + json.size() / 16);
    for (std::size_t i = 0; i < json.size(); ++i) {
        switch (json[i]) {
            case '<': result += "\\u003c"; break;
            case '>': result += "\\u003e"; break;
            case '&': result += "\\u0026"; break;
            case '\xe2':  // U+2028 and U+2029 are E2 80 A8 and E2 80 A9
                if (json.compare(i, 3, "\xe2\x80\xa8") == 0 || json.compare(i, 3, "\xe2\x80\xa9") == 0) {
                    result += json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
                    i += 2;
                } else {
                    result += json[i];
                }
                break;
            default: result += json[i];
        }
    }
    return result;
}

std::string escape_html(const std::string& text) {
    std::string result;
    for (const char c : valid_utf8(text)) {
        switch (c) {
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '&': result += "&amp;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default: result += c;
        }
    }
    return result;
}

}  // namespace lossmap
