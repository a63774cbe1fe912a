#include "landscape/trajectory_file.hpp"

#include <numeric>
#include <span>

#include "core/error.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "landscape/provenance_attributes.hpp"

namespace lossmap {
namespace {

constexpr const char* kSplitNames = "lossmap_split_names";
constexpr const char* kRuns = "runs";
constexpr const char* kLabel = "label";

template <typename T>
void write_list(Hdf5File& file, const std::string& name, const std::vector<T>& values) {
    if (values.empty()) return;
    file.write(name, std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
}

void write_texts(Hdf5File& file, const std::string& name, const std::vector<std::string>& texts) {
    if (!texts.empty()) file.write_strings(name, texts);
}

/// A list of `count` values; empty when the file has none of that name.
template <typename T>
std::vector<T> read_list(const Hdf5File& file, const std::string& name, std::size_t count) {
    if (!file.exists(name)) return {};
    std::vector<T> values = file.read<T>(name);
    if (values.size() != count) {
        throw InputError("'{}': '{}' has {} entries for {} checkpoints", file.path().string(), name, values.size(),
                         count);
    }
    return values;
}

std::vector<std::string> read_texts(const Hdf5File& file, const std::string& name) {
    return file.exists(name) ? file.read_strings(name) : std::vector<std::string>{};
}

/// `group`: "/", or "/runs/0".
std::string member(const std::string& group, const std::string& name) {
    return group == "/" ? name : group + "/" + name;
}

void write_run(Hdf5File& hdf5, const std::string& group, const TrajectoryPath& path) {
    write_list(hdf5, member(group, "proj_xcoord"), path.x);
    write_list(hdf5, member(group, "proj_ycoord"), path.y);
    write_list(hdf5, member(group, "norm"), path.norm);
    write_list(hdf5, member(group, "distance"), path.distance);
    write_list(hdf5, member(group, "weight_norm"), path.weight_norm);
    write_list(hdf5, member(group, "epochs"), path.epochs);
    write_list(hdf5, member(group, "iterations"), path.iterations);
    write_list(hdf5, member(group, "lr_drops"), path.lr_drops);
    write_texts(hdf5, member(group, "checkpoints"), path.checkpoints);
    std::vector<std::string> splits;
    for (const PathLosses& losses : path.losses) {
        write_list(hdf5, member(group, losses.split + "_checkpoint_loss"), losses.checkpoint_loss);
        write_list(hdf5, member(group, losses.split + "_plane_loss"), losses.plane_loss);
        splits.push_back(losses.split);
    }
    if (!splits.empty()) hdf5.write_attribute(group, kSplitNames, splits);
}

TrajectoryPath read_run(const Hdf5File& hdf5, const std::string& group) {
    const std::string x = member(group, "proj_xcoord");
    if (!hdf5.exists(x) || !hdf5.exists(member(group, "proj_ycoord"))) {
        throw InputError("'{}' is no trajectory file: '{}' has no 'proj_xcoord' and 'proj_ycoord'",
                         hdf5.path().string(), group);
    }
    TrajectoryPath path;
    path.x = hdf5.read<double>(x);
    const std::size_t count = path.x.size();
    path.y = read_list<double>(hdf5, member(group, "proj_ycoord"), count);
    path.norm = read_list<double>(hdf5, member(group, "norm"), count);
    path.distance = read_list<double>(hdf5, member(group, "distance"), count);
    path.weight_norm = read_list<double>(hdf5, member(group, "weight_norm"), count);
    path.epochs = read_list<std::int64_t>(hdf5, member(group, "epochs"), count);
    path.iterations = read_list<std::int64_t>(hdf5, member(group, "iterations"), count);
    const std::string drops = member(group, "lr_drops");
    if (hdf5.exists(drops)) path.lr_drops = hdf5.read<std::int64_t>(drops);
    for (const std::int64_t drop : path.lr_drops) {
        if (drop < 0 || drop >= static_cast<std::int64_t>(count))
            throw InputError("'{}': '{}' names checkpoint {} of {}", hdf5.path().string(), drops, drop, count);
    }
    path.checkpoints = read_texts(hdf5, member(group, "checkpoints"));
    if (hdf5.has_attribute(group, kSplitNames)) {
        for (const std::string& split : hdf5.strings_attribute(group, kSplitNames)) {
            path.losses.push_back({split, read_list<double>(hdf5, member(group, split + "_checkpoint_loss"), count),
                                   read_list<double>(hdf5, member(group, split + "_plane_loss"), count)});
        }
    }
    if (hdf5.has_attribute(group, kLabel)) path.label = hdf5.string_attribute(group, kLabel);
    return path;
}

std::string group_of(std::size_t run) { return fmt::format("/{}/{}", kRuns, run); }

}  // namespace

double TrajectoryPath::captured_share() const {
    const auto square = [](const std::vector<double>& values) {
        return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
    };
    const double whole = square(norm);
    return whole > 0.0 ? 1.0 - square(distance) / whole : 1.0;
}

void write_trajectory(const std::filesystem::path& file, const TrajectoryPlane& plane) {
    if (plane.runs.empty()) throw InternalError("a trajectory file without a run");
    AtomicFile target(file);
    Hdf5File hdf5 = Hdf5File::create(target.temporary());
    write_run(hdf5, "/", plane.runs.front());
    const bool grouped = plane.runs.size() > 1 || !plane.runs.front().label.empty();
    for (std::size_t run = 0; grouped && run < plane.runs.size(); ++run) {
        write_run(hdf5, group_of(run), plane.runs[run]);
        hdf5.write_attribute(group_of(run), kLabel, plane.runs[run].label);
    }
    write_texts(hdf5, "axis_labels", plane.axis_labels);
    write_texts(hdf5, "notes", plane.notes);
    write_provenance(hdf5, plane.provenance);
    hdf5.close();
    target.commit();
}

TrajectoryPlane read_trajectory(const std::filesystem::path& file) {
    const Hdf5File hdf5 = Hdf5File::open(file);
    TrajectoryPlane plane;
    const std::size_t groups = hdf5.exists(kRuns) ? hdf5.list(kRuns).size() : 0;
    if (groups == 0) plane.runs.push_back(read_run(hdf5, "/"));
    for (std::size_t run = 0; run < groups; ++run)
        plane.runs.push_back(read_run(hdf5, group_of(run)));
    plane.axis_labels = read_texts(hdf5, "axis_labels");
    plane.notes = read_texts(hdf5, "notes");
    plane.provenance = read_provenance(hdf5);
    return plane;
}

}  // namespace lossmap
