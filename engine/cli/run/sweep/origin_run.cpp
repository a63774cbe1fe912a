#include "cli/run/sweep/origin_run.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace lossmap {
namespace {

/// Index of the point 0 in a grid's axis.
std::optional<std::size_t> zero_of(const std::vector<double>& axis) {
    const auto found = std::find(axis.begin(), axis.end(), 0.0);
    if (found == axis.end()) return std::nullopt;
    return static_cast<std::size_t>(found - axis.begin());
}

bool tells_origin(const std::optional<GridAxis>& axis) {
    if (!axis) return true;
    if (axis->auto_min || axis->auto_max) return false;  // known once the path is
    return zero_of(linspace(axis->min, axis->max, axis->points)).has_value();
}

}  // namespace

std::vector<OriginResult> results_at(const Surface& surface, std::size_t point) {
    std::vector<OriginResult> results;
    for (const SplitSurface& split : surface.splits) {
        if (split.done[point] == 0) continue;
        OriginResult result{split.name, split.loss[point], std::nullopt};
        if (split.has_accuracy) result.error = 100.0 - split.accuracy[point];
        results.push_back(std::move(result));
    }
    return results;
}

std::vector<OriginResult> origin_on_grid(const Surface& surface) {
    const std::optional<std::size_t> ix = zero_of(surface.x);
    const std::optional<std::size_t> iy = surface.is_line() ? 0 : zero_of(surface.y);
    if (!ix || !iy) return {};
    return results_at(surface, *iy * surface.x.size() + *ix);
}

std::optional<Config> origin_config(const Config& config, std::size_t combination) {
    if (!is_landscape(config.experiment) || (config.shard && !config.shard->has(combination))) return std::nullopt;
    Config origin = config;
    origin.splits.clear();
    const bool on_grid = !config.refine && tells_origin(config.x) && tells_origin(config.y);
    for (const char* split : {"train", "test"}) {
        const bool described = config.data.splits.contains(split);
        const bool on_surface =
            on_grid && std::find(config.splits.begin(), config.splits.end(), split) != config.splits.end();
        if (described && !on_surface) origin.splits.emplace_back(split);
    }
    if (origin.splits.empty()) return std::nullopt;
    origin.name = config.name + ", origin";
    origin.experiment = Experiment::evaluate;
    origin.models.resize(1);
    origin.series = {{"", 0, 1, {}, {}, false}};
    origin.directions = {};
    origin.refine.reset();
    origin.grow_from.reset();
    origin.paths.clear();
    origin.shard.reset();
    origin.x.reset();
    origin.y.reset();
    return origin;
}

std::string origin_text(const std::vector<OriginResult>& results) {
    if (results.empty()) return {};
    const auto test =
        std::find_if(results.begin(), results.end(), [](const OriginResult& one) { return one.split == "test"; });
    const OriginResult& shown = test != results.end() ? *test : results.front();
    if (shown.error) return fmt::format("{} error {:.2f} %", shown.split, *shown.error);
    return fmt::format("{} loss {:.4g}", shown.split, shown.loss);
}

}  // namespace lossmap
