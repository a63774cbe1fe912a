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
    const bool refined = !split.error_estimate.empty();
    json["loss"] = values_of(refined ? split.interpolated_loss : split.loss, points, split, count);
    json["accuracy"] =
        values_of(refined && split.has_accuracy ? split.interpolated_accuracy : split.accuracy, points, split, count);
    if (refined) json["error_estimate"] = values_of(split.error_estimate, points, split, count);
    json["standard_error"] = values_of(split.standard_error, points, split, count);
    json["done"] = values_of(split.done, points, split, count);
    json["samples"] = values_of(split.samples, points, split, count);
    json["non_finite"] = values_of(split.non_finite, points, split, count);
    if (!split.is_drawn()) return json;
    json["drawn"] = sampling_note(split);
    std::vector<double> interval(count);
    for (std::size_t k = 0; k < count; ++k)
        interval[k] = confidence_half_width(split, k);
    json["interval"] = values_of(interval, points, split, count);
    return json;
}

Json numbers(const std::vector<double>& values) {
    Json array = Json::array();
    for (const double value : values)
        array.push_back(number(value));
    return array;
}

/// Checkpoints of a path: coordinates, names, where the learning rate dropped, losses of a split.
Json path_json(const TrajectoryPath& path) {
    Json json{{"label", path.label}, {"x", numbers(path.x)}, {"y", numbers(path.y)}};
    json["distance"] = numbers(path.distance);
    json["norm"] = numbers(path.norm);
    json["names"] = path.checkpoints;
    json["epochs"] = path.epochs;
    json["iterations"] = path.iterations;
    json["drops"] = path.lr_drops;
    if (!path.norm.empty()) json["captured"] = number(path.captured_share());
    json["losses"] = Json::array();
    for (const PathLosses& losses : path.losses) {
        json["losses"].push_back({{"split", losses.split},
                                  {"checkpoint", numbers(losses.checkpoint_loss)},
                                  {"plane", numbers(losses.plane_loss)}});
    }
    return json;
}

Json plane_json(const TrajectoryPlane& plane) {
    Json json{{"labels", plane.axis_labels}, {"notes", plane.notes}, {"runs", Json::array()}};
    for (const TrajectoryPath& path : plane.runs) {
        if (path.x.empty() || path.x.size() != path.y.size())
            throw InputError("a path has {} x and {} y coordinates", path.x.size(), path.y.size());
        json["runs"].push_back(path_json(path));
    }
    return json;
}

void require_length(const std::string& name, std::size_t length, const std::vector<double>& values) {
    if (values.size() != length)
        throw InputError("curve '{}' has {} values for {} places", name, values.size(), length);
}

Json curve_json(const Curve& curve) {
    require_length(curve.name, curve.x.size(), curve.y);
    return {{"name", curve.name},   {"x", numbers(curve.x)}, {"y", numbers(curve.y)},
            {"group", curve.group}, {"dash", curve.dash},    {"second_axis", curve.on_second_axis},
            {"faint", curve.faint}};
}

Json band_json(const Band& band) {
    require_length(band.name, band.x.size(), band.low);
    require_length(band.name, band.x.size(), band.high);
    return {{"name", band.name},          {"x", numbers(band.x)}, {"low", numbers(band.low)},
            {"high", numbers(band.high)}, {"group", band.group},  {"second_axis", band.on_second_axis}};
}

Json curves_json(const CurvesFigure& figure) {
    Json json{{"title", figure.title}, {"x_label", figure.x_label}, {"y_label", figure.y_label}};
    json["y2_label"] = figure.y2_label;
    json["notes"] = figure.notes;
    json["bands"] = Json::array();
    for (const Band& band : figure.bands)
        json["bands"].push_back(band_json(band));
    json["curves"] = Json::array();
    for (const Curve& curve : figure.curves)
        json["curves"].push_back(curve_json(curve));
    return json;
}

Json table_json(const ReportTable& table) {
    for (const std::vector<std::string>& row : table.rows) {
        if (row.size() != table.heads.size())
            throw InputError("a row of table '{}' has {} cells for {} heads", table.title, row.size(),
                             table.heads.size());
    }
    return {{"title", table.title}, {"heads", table.heads}, {"rows", table.rows}};
}

void add_surface(Json& json, const Surface& surface, std::size_t stride) {
    const std::vector<std::size_t> points = kept_points(surface, stride);
    json["stride"] = stride;
    json["full"] = surface.is_line() ? Json{surface.x.size()} : Json{surface.x.size(), surface.y.size()};
    json["x"] = axis_of(surface.x, stride);
    json["y"] = axis_of(surface.y, stride);
    for (const SplitSurface& split : surface.splits)
        json["splits"].push_back(split_json(split, points, surface.point_count()));
}

Json run_json(const ReportRun& run, std::size_t stride) {
    if (run.surface.x.empty() && run.curves.empty() && run.tables.empty())
        throw InputError("run '{}' has no points, curves or tables", run.title);
    Json json{{"title", run.title}, {"x", Json::array()}, {"y", Json::array()}, {"splits", Json::array()}};
    if (!run.surface.x.empty()) add_surface(json, run.surface, stride);
    if (run.plane) json["plane"] = plane_json(*run.plane);
    json["curves"] = Json::array();
    for (const CurvesFigure& curves : run.curves)
        json["curves"].push_back(curves_json(curves));
    json["tables"] = Json::array();
    for (const ReportTable& table : run.tables)
        json["tables"].push_back(table_json(table));
    json["config"] = pretty(run.resolved_config);
    json["provenance"] = pretty(run.surface.provenance);
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
