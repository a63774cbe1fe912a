#include "cli/commands/companion_path.hpp"

#include <fmt/format.h>

#include "io/hdf5_file.hpp"

namespace lossmap {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShares = "explained_variance_ratio_";

/// "1st PC: 49.32 %", "2nd PC: ..", as the reference implementation labels them; none when it is no PCA file.
std::vector<std::string> share_labels(const fs::path& directions) {
    if (!fs::exists(directions)) return {};
    const Hdf5File file = Hdf5File::open(directions);
    if (!file.exists(kShares)) return {};
    const std::vector<double> shares = file.read<double>(kShares);
    if (shares.size() < 2) return {};
    return {fmt::format("1st PC: {:.2f} %", 100.0 * shares[0]), fmt::format("2nd PC: {:.2f} %", 100.0 * shares[1])};
}

}  // namespace

std::optional<TrajectoryPlane> companion_path(const fs::path& surface_file, const Surface& surface) {
    const std::string name = fs::path(surface.direction_file).filename().string();
    if (name.empty() || surface.is_line()) return std::nullopt;
    const fs::path directions = surface_file.parent_path() / name;
    for (const char* suffix : {"_proj_cos.h5", "_proj_lstsq.h5"}) {
        const fs::path file = directions.string() + suffix;
        if (!fs::exists(file)) continue;
        TrajectoryPlane plane = read_trajectory(file);
        plane.axis_labels = share_labels(directions);
        return plane;
    }
    return std::nullopt;
}

}  // namespace lossmap
