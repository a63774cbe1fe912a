#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lossmap {

/// How well a plane tells the loss of a split at the checkpoints; -1 where not computed, NaN and infinity are results.
struct PathLosses {
    std::string split;
    std::vector<double> checkpoint_loss;  ///< of the checkpoint itself, with its own running statistics
    std::vector<double> plane_loss;       ///< evaluated in the plane, exactly at the checkpoint's projection
};

/// The path of one training run in a plane. One entry a checkpoint everywhere; theta_n is the plane's origin.
struct TrajectoryPath {
    std::string label;                     ///< of the run; "" when it is the only one
    std::vector<std::string> checkpoints;  ///< names
    std::vector<double> x;                 ///< (theta_e - theta_n) . d / |d|, uncentred, unmasked
    std::vector<double> y;
    std::vector<double> norm;              ///< |theta_e - theta_n|
    std::vector<double> distance;          ///< to the plane
    std::vector<double> weight_norm;       ///< |theta_e|
    std::vector<std::int64_t> epochs;      ///< empty when not given
    std::vector<std::int64_t> iterations;  ///< likewise
    std::vector<std::int64_t> lr_drops;    ///< indices of checkpoints where the learning rate dropped
    std::vector<PathLosses> losses;        ///< a split each

    /// Share of the squared length |theta_e - theta_n|^2, summed over checkpoints, that lies in the plane.
    [[nodiscard]] double captured_share() const;
};

/// Paths in one plane. The last checkpoint of the first run is its origin, (0, 0).
struct TrajectoryPlane {
    std::vector<TrajectoryPath> runs;
    std::vector<std::string> axis_labels;  ///< "1st PC: 49.32 %"
    std::vector<std::string> notes;        ///< sentences on what the plane can tell of the paths
    std::string provenance;                ///< JSON object, or ""
};

/// Writes trajectory.h5. At the root the first run: `proj_xcoord`, `proj_ycoord` (the reference implementation's),
/// `norm`, `distance`, `weight_norm`, `checkpoints`, `lr_drops`, where given `epochs` and `iterations`, and for each
/// split `<split>_checkpoint_loss` and `<split>_plane_loss`, all fp64 [checkpoints]; `axis_labels`, `notes`. Runs
/// with a label stand in groups `runs/0`, `runs/1`, .. of that layout, too, each with the attribute `label`. Replaced
/// whole.
void write_trajectory(const std::filesystem::path& file, const TrajectoryPlane& plane);

/// Reads ours and the reference implementation's, which holds the coordinates alone. Throws InputError.
[[nodiscard]] TrajectoryPlane read_trajectory(const std::filesystem::path& file);

}  // namespace lossmap
