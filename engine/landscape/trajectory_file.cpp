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

template <typename T>
void write_list(Hdf5File& file, const std::string& name, const std::vector<T>& values) {
    if (values.empty()) return;
    file.write(name, std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
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

}  // namespace

double TrajectoryPath::captured_share() const {
    const auto square = [](const std::vector<double>& values) {
        return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
    };
    const double whole = square(norm);
    return whole > 0.0 ? 1.0 - square(distance) / whole : 1.0;
}

void write_trajectory(const std::filesystem::path& file, const TrajectoryPath& path) {
    AtomicFile target(file);
    Hdf5File hdf5 = Hdf5File::create(target.temporary());
    write_list(hdf5, "proj_xcoord", path.x);
    write_list(hdf5, "proj_ycoord", path.y);
    write_list(hdf5, "norm", path.norm);
    write_list(hdf5, "distance", path.distance);
    write_list(hdf5, "weight_norm", path.weight_norm);
    write_list(hdf5, "epochs", path.epochs);
    write_list(hdf5, "iterations", path.iterations);
    write_list(hdf5, "lr_drops", path.lr_drops);
    if (!path.checkpoints.empty()) hdf5.write_strings("checkpoints", path.checkpoints);
    if (!path.axis_labels.empty()) hdf5.write_strings("axis_labels", path.axis_labels);
    std::vector<std::string> splits;
    for (const PathLosses& losses : path.losses) {
        write_list(hdf5, losses.split + "_checkpoint_loss", losses.checkpoint_loss);
        write_list(hdf5, losses.split + "_plane_loss", losses.plane_loss);
        splits.push_back(losses.split);
    }
    if (!splits.empty()) hdf5.write_attribute("/", kSplitNames, splits);
    write_provenance(hdf5, path.provenance);
    hdf5.close();
    target.commit();
}

TrajectoryPath read_trajectory(const std::filesystem::path& file) {
    const Hdf5File hdf5 = Hdf5File::open(file);
    if (!hdf5.exists("proj_xcoord") || !hdf5.exists("proj_ycoord")) {
        throw InputError("'{}' is no trajectory file: it has no 'proj_xcoord' and 'proj_ycoord'", file.string());
    }
    TrajectoryPath path;
    path.x = hdf5.read<double>("proj_xcoord");
    const std::size_t count = path.x.size();
    path.y = read_list<double>(hdf5, "proj_ycoord", count);
    path.norm = read_list<double>(hdf5, "norm", count);
    path.distance = read_list<double>(hdf5, "distance", count);
    path.weight_norm = read_list<double>(hdf5, "weight_norm", count);
    path.epochs = read_list<std::int64_t>(hdf5, "epochs", count);
    path.iterations = read_list<std::int64_t>(hdf5, "iterations", count);
    if (hdf5.exists("lr_drops")) path.lr_drops = hdf5.read<std::int64_t>("lr_drops");
    for (const std::int64_t drop : path.lr_drops) {
        if (drop < 0 || drop >= static_cast<std::int64_t>(count))
            throw InputError("'{}': 'lr_drops' names checkpoint {} of {}", file.string(), drop, count);
    }
    if (hdf5.exists("checkpoints")) path.checkpoints = hdf5.read_strings("checkpoints");
    if (hdf5.exists("axis_labels")) path.axis_labels = hdf5.read_strings("axis_labels");
    if (hdf5.has_attribute("/", kSplitNames)) {
        for (const std::string& split : hdf5.strings_attribute("/", kSplitNames)) {
            path.losses.push_back({split, read_list<double>(hdf5, split + "_checkpoint_loss", count),
                                   read_list<double>(hdf5, split + "_plane_loss", count)});
        }
    }
    path.provenance = read_provenance(hdf5);
    return path;
}

}  // namespace lossmap
