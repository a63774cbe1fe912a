#include "cli/merge/merged_run.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/run/run_record.hpp"
#include "core/error.hpp"
#include "landscape/recorded_results.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

/// A file of any share: all have the same but for the results.
fs::path shared_file(const std::vector<StoredShare>& shares, const char* file) {
    const StoredShare* holder = holder_of(shares, file);
    if (holder == nullptr) {
        throw InputError("none of the runs has a {} yet, which has to tell what the points are: go on with one of them",
                         file);
    }
    return holder->folder / file;
}

void require_own_file(const std::vector<StoredShare>& shares, const char* file, const std::string& provenance) {
    require_own(*holder_of(shares, file), file, provenance);
}

/// The grid with nothing computed.
Surface emptied(const Surface& stored) {
    std::vector<std::string> names;
    for (const SplitSurface& split : stored.splits)
        names.push_back(split.name);
    Surface empty = make_surface(stored.x, stored.y, names, stored.splits.front().has_accuracy);
    for (std::size_t k = 0; k < empty.splits.size(); ++k) {
        empty.splits[k].drawn = stored.splits[k].drawn;
        empty.splits[k].drawn_from = stored.splits[k].drawn_from;
    }
    empty.direction_file = stored.direction_file;
    return empty;
}

void require_grid(const Surface& surface, const RecordedShape& shape, const fs::path& file) {
    if (surface.x != shape.x || surface.y != shape.y)
        throw InputError("'{}' is damaged: its coordinates are not those of the run", file.string());
    const bool fits = std::equal(surface.splits.begin(), surface.splits.end(), shape.splits.begin(), shape.splits.end(),
                                 [](const SplitSurface& split, const std::string& name) { return split.name == name; });
    if (!fits || surface.splits.empty()) throw InputError("'{}' has not the splits of its run", file.string());
}

/// All points as a line, where there are more than the surface's.
Surface line_of(std::size_t points, const Surface& surface) {
    std::vector<double> numbers(points);
    for (std::size_t k = 0; k < points; ++k)
        numbers[k] = static_cast<double>(k);
    std::vector<std::string> names;
    for (const SplitSurface& split : surface.splits)
        names.push_back(split.name);
    return make_surface(std::move(numbers), {}, names, surface.splits.front().has_accuracy);
}

/// What the run took from a surface file is in no journal: those points that have no units.
void keep_given(const Surface& stored, const std::vector<JournalEntry>& units, Surface& results) {
    for (std::size_t s = 0; s < stored.splits.size(); ++s) {
        const SplitSurface& from = stored.splits[s];
        SplitSurface& to = results.splits[s];
        std::vector<std::uint8_t> has_units(results.point_count(), 0);
        for (const JournalEntry& unit : units) {
            if (unit.split == from.name) has_units[static_cast<std::size_t>(unit.point)] = 1;
        }
        for (std::size_t point = 0; point < stored.point_count(); ++point) {
            if (from.done[point] == 0 || has_units[point] != 0) continue;
            to.loss[point] = from.loss[point];
            to.accuracy[point] = from.accuracy[point];
            to.standard_error[point] = from.standard_error[point];
            to.non_finite[point] = from.non_finite[point];
            to.samples[point] = from.samples[point];
            to.done[point] = 1;
        }
    }
}

/// Coordinates and places for results; returns the number of points.
std::size_t lay_out(const std::vector<StoredShare>& shares, const RecordedShape& shape, PreparedRun& run) {
    const fs::path file = shared_file(shares, "surface.h5");
    if (shape.experiment == Experiment::repeat) {
        RepeatedSurface stored = read_repeated_surface(file);
        require_own_file(shares, "surface.h5", stored.repeats.at(0).provenance);
        require_grid(stored.repeats.front(), shape, file);
        for (Surface& repeat : stored.repeats)
            repeat = emptied(repeat);
        run.repeated = std::move(stored);
        const Surface& first = run.repeated->repeats.front();
        const std::size_t points = run.repeated->repeats.size() * first.point_count();
        run.results = line_of(points, first);
        return points;
    }
    run.surface = read_surface(file);
    require_own_file(shares, "surface.h5", run.surface.provenance);
    require_grid(run.surface, shape, file);
    if (shape.experiment != Experiment::trajectory) return run.surface.point_count();
    run.plane = read_trajectory(shared_file(shares, "trajectory.h5"));
    require_own_file(shares, "trajectory.h5", run.plane->provenance);
    std::size_t checkpoints = 0;
    for (const TrajectoryPath& path : run.plane->runs)
        checkpoints += path.x.size();
    const std::size_t points = run.surface.point_count() + 2 * checkpoints;
    run.results = line_of(points, run.surface);
    return points;
}

}  // namespace

const StoredShare* holder_of(const std::vector<StoredShare>& shares, const char* file) {
    const auto holder = std::find_if(shares.begin(), shares.end(),
                                     [&](const StoredShare& share) { return fs::exists(share.folder / file); });
    return holder == shares.end() ? nullptr : &*holder;
}

PreparedRun make_merged_run(const std::vector<StoredShare>& shares, const RecordedShape& shape,
                            const std::vector<JournalEntry>& units, const nlohmann::ordered_json& record) {
    PreparedRun run;
    run.config.name = shape.name;
    run.config.experiment = shape.experiment;
    run.points.resize(lay_out(shares, shape, run));
    const bool from_file = shares.front().identity.has_part("from");
    Surface stored;
    if (!run.repeated) stored = std::exchange(run.surface, emptied(run.surface));
    Surface& results = run.results ? *run.results : run.surface;
    for (const StoredShare& share : shares)
        with_context(share.folder.string(), [&] { require_inside(share.units, shape.chunks, results); });
    take_recorded(units, shape.chunks, results);
    if (from_file && !run.repeated) keep_given(stored, units, results);
    run.collect();
    run.resolved = record_text(record);
    run.surface.provenance = attributes_text(record, from_file);
    if (run.plane) run.plane->provenance = run.surface.provenance;
    if (run.repeated) {
        for (Surface& repeat : run.repeated->repeats)
            repeat.provenance = run.surface.provenance;
    }
    return run;
}

std::vector<std::size_t> missing_points(const PreparedRun& run) {
    std::vector<std::size_t> missing;
    const std::vector<SplitSurface>& splits = run.computed().splits;
    for (std::size_t point = 0; point < run.points.size(); ++point) {
        const bool done = std::all_of(splits.begin(), splits.end(),
                                      [&](const SplitSurface& split) { return split.done[point] != 0; });
        if (!done) missing.push_back(point);
    }
    return missing;
}

}  // namespace lossmap
