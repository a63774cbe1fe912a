#include "cli/run/takeover.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "cli/config/load_config.hpp"
#include "cli/run/run_directory.hpp"
#include "core/error.hpp"
#include "io/hash.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

// Agreement with other implementations is 1e-4; another model, data set or direction is off by far more than this.
constexpr double kSameLoss = 1e-3;

std::string where(const Config& config) {
    return fmt::format("{}: /from: '{}'", config.file.string(), config.grow_from->string());
}

using Matches = std::vector<std::vector<std::size_t>>;

/// For each coordinate of the earlier axis the indices of equal ones in `now`; an axis without coordinates is one
/// point.
Matches matches_of(const std::vector<double>& earlier, const std::vector<double>& now) {
    if (earlier.empty() && now.empty()) return {{0}};
    const auto bits = [](double coordinate) { return std::bit_cast<std::uint32_t>(static_cast<float>(coordinate)); };
    std::multimap<std::uint32_t, std::size_t> places;
    for (std::size_t k = 0; k < now.size(); ++k)
        places.emplace(bits(now[k]), k);
    Matches matches(earlier.size());
    for (std::size_t k = 0; k < earlier.size(); ++k) {
        const auto [first, last] = places.equal_range(bits(earlier[k]));
        for (auto place = first; place != last; ++place)
            matches[k].push_back(place->second);
    }
    return matches;
}

/// Which points of a run's grid are the points of an earlier one.
class PointMatches {
public:
    PointMatches(const std::vector<double>& x, const std::vector<double>& y, const Surface& now)
        : x_(matches_of(x, now.x)), y_(matches_of(y, now.y)), nx_(now.x.size()) {}

    /// Calls `take(point)` for each point of the run that is `earlier`; points beyond the earlier grid have none.
    template <typename Take>
    void for_each(std::size_t earlier, const Take& take) const {
        if (earlier >= x_.size() * y_.size()) return;
        for (const std::size_t iy : y_[earlier / x_.size()]) {
            for (const std::size_t ix : x_[earlier % x_.size()])
                take(iy * nx_ + ix);
        }
    }

private:
    Matches x_;
    Matches y_;
    std::size_t nx_;
};

void require_same_axes(const PreparedRun& run, bool earlier_is_line) {
    if (earlier_is_line == run.surface.is_line()) return;
    throw InputError("{} is {}, this run is {}", where(run.config), earlier_is_line ? "a line" : "a plane",
                     earlier_is_line ? "a plane" : "a line");
}

/// The configuration of an earlier run, checked to be the one that its journal was written for.
Config earlier_config(const PreparedRun& run, const std::string& parts) {
    Config config = load_config(*run.config.grow_from / "config.resolved.json");
    Identity grid;
    grid.set("grid", hash_grid(config));
    if (!grid.differing_parts(parts).empty())
        throw InputError("{}: its config.resolved.json does not belong to its journal", where(run.config));
    return config;
}

/// Names of the parts that differ, in either direction. A path's checkpoints and what an earlier run took from a file
/// are not in the units that are taken over.
std::string differing_parts(const Identity& now, const std::string& earlier) {
    std::string names = now.without("grid").differing_parts(earlier);
    const nlohmann::json mine = nlohmann::json::parse(now.json());
    const nlohmann::json stored = nlohmann::json::parse(earlier);
    for (const auto& [part, hash] : stored.items()) {
        if (mine.contains(part) || part == "path" || part == "from") continue;
        names += (names.empty() ? "" : ", ") + part;
    }
    return names;
}

void take_over_run(PreparedRun& run, RunLog& log) {
    const fs::path& folder = *run.config.grow_from;
    const std::string parts = RunDirectory(folder).identity_parts();
    if (parts.empty()) throw InputError("{} holds no run of lossmap", where(run.config));
    const std::string differing = differing_parts(run.identity, parts);
    if (!differing.empty()) {
        throw InputError("{} holds a run that differs in: {}; only the grid may differ", where(run.config), differing);
    }
    const Config earlier = earlier_config(run, parts);
    require_same_axes(run, !earlier.y);
    const auto axis = [](const std::optional<GridAxis>& range) {
        return range ? linspace(range->min, range->max, range->points) : std::vector<double>();
    };
    const PointMatches matches(axis(earlier.x), axis(earlier.y), run.surface);
    std::vector<std::uint8_t> taken(run.surface.point_count(), 0);
    for (const JournalEntry& entry : RunDirectory(folder).journal_entries()) {
        matches.for_each(static_cast<std::size_t>(entry.point), [&](std::size_t point) {
            taken[point] = 1;
            run.taken_units.push_back(entry);
            run.taken_units.back().point = static_cast<std::int64_t>(point);
        });
    }
    if (RunDirectory(folder).note(kPlanNote) != run.executable->plan_json()) {
        log.warning(fmt::format(
            "{} was computed with another plan (other processor, library or version): points may differ in the last "
            "digits",
            folder.string()));
    }
    log.info(fmt::format("grow: {} of {} points are taken over from {}", std::count(taken.begin(), taken.end(), 1),
                         taken.size(), folder.string()));
}

/// The points nearest to and farthest from the origin; one when they are the same.
std::vector<std::size_t> outermost(const std::vector<std::size_t>& points, const Surface& surface) {
    if (points.empty()) return {};
    const auto radius = [&](std::size_t point) {
        const double x = surface.x[point % surface.x.size()];
        return surface.is_line() ? std::abs(x) : std::hypot(x, surface.y[point / surface.x.size()]);
    };
    const auto [nearest, farthest] = std::minmax_element(
        points.begin(), points.end(), [&](std::size_t a, std::size_t b) { return radius(a) < radius(b); });
    if (*nearest == *farthest) return {*nearest};
    return {*nearest, *farthest};
}

/// Moves two finite points of a split from what is given to what is compared: each by the share that computes it.
void choose_checked(SplitSurface& split, PreparedRun& run) {
    std::vector<std::size_t> finite;
    for (std::size_t point = 0; point < split.done.size(); ++point) {
        if (split.done[point] != 0 && std::isfinite(split.loss[point])) finite.push_back(point);
    }
    for (const std::size_t point : outermost(finite, run.surface)) {
        if (!run.config.shard || run.config.shard->has(point))
            run.checked.push_back({split.name, point, split.loss[point]});
        split.loss[point] = split.accuracy[point] = -1.0;
        split.done[point] = 0;
    }
}

void take_over_surface(PreparedRun& run, RunLog& log) {
    const fs::path& file = *run.config.grow_from;
    const Surface earlier = read_surface(file);
    if (!earlier.provenance.empty()) {
        throw InputError("{} is part of a run of lossmap: name its folder, whose journal has what is needed",
                         where(run.config));
    }
    require_same_axes(run, earlier.is_line());
    const PointMatches matches(earlier.x, earlier.y, run.surface);
    std::int64_t taken = 0;
    Surface& results = run.results ? *run.results : run.surface;  // the grid's points come first in both
    for (SplitSurface& split : results.splits) {
        const SplitSurface* from = earlier.find(split.name);
        if (from == nullptr) continue;
        if (split.has_accuracy != from->has_accuracy)
            throw InputError("{}: '{}_acc' is {}", where(run.config), split.name,
                             from->has_accuracy ? "there, but targets are no classes" : "missing");
        for (std::size_t k = 0; k < from->loss.size(); ++k) {
            if (from->done[k] == 0) continue;
            matches.for_each(k, [&](std::size_t point) {
                split.loss[point] = from->loss[k];
                split.accuracy[point] = from->accuracy[k];
                split.done[point] = 1;
                ++taken;
            });
        }
        choose_checked(split, run);
    }
    run.identity.set("from", hash_file(file));
    log.info(fmt::format("grow: {} values are taken over from {}; {} of them are computed again as a check", taken,
                         file.string(), run.checked.size()));
}

}  // namespace

void take_over_earlier(PreparedRun& run, RunLog& log) {
    if (!run.config.grow_from) return;
    const fs::path& from = *run.config.grow_from;
    if (!fs::exists(from)) throw InputError("{}: no such file or folder", where(run.config));
    if (fs::is_directory(from)) {
        take_over_run(run, log);
    } else {
        take_over_surface(run, log);
    }
}

void require_same_surface(const PreparedRun& run, const Surface& results) {
    for (const CheckedPoint& check : run.checked) {
        const double now = results.find(check.split)->loss[check.point];
        if (std::abs(now - check.loss) <= kSameLoss * std::max(std::abs(now), std::abs(check.loss))) continue;
        throw InputError(
            "{}: '{}_loss' of point {} is {}, this run finds {}: it was computed with another model, data set, loss or "
            "direction",
            where(run.config), check.split, check.point, check.loss, now);
    }
}

}  // namespace lossmap
