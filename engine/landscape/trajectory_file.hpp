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

/// The path of a training run in a plane. One entry a checkpoint everywhere; the last checkpoint is at (0, 0).
struct TrajectoryPath {
    std::vector<std::string> checkpoints;  ///< names
    std::vector<double> x;                 ///< (theta_e - theta_n) . d / |d|, uncentred, unmasked
    std::vector<double> y;
    std::vector<double> norm;              ///< |theta_e - theta_n|
    std::vector<double> distance;          ///< to the plane
    std::vector<double> weight_norm;       ///< |theta_e|
    std::vector<std::int64_t> epochs;      ///< empty when not given
    std::vector<std::int64_t> iterations;  ///< likewise
    std::vector<std::int64_t> lr_drops;    ///< indices of checkpoints where the learning rate dropped
    std::vector<std::string> axis_labels;  ///< "1st PC: 49.32 %"
    std::vector<PathLosses> losses;        ///< a split each
    std::string provenance;                ///< JSON object, or ""

    /// Share of the path's squared length |theta_e - theta_n|^2, summed over checkpoints, that lies in the plane.
    [[nodiscard]] double captured_share() const;
};

/// Writes trajectory.h5: `proj_xcoord`, `proj_ycoord` (the reference implementation's), `norm`, `distance`,
/// `weight_norm`, `checkpoints`, `axis_labels`, `lr_drops`, where given `epochs` and `iterations`, and for each split
/// `<split>_checkpoint_loss` and `<split>_plane_loss`, all fp64 [checkpoints]. Replaced whole.
void write_trajectory(const std::filesystem::path& file, const TrajectoryPath& path);

/// Reads ours and the reference implementation's, which holds the coordinates alone. Throws InputError.
[[nodiscard]] TrajectoryPath read_trajectory(const std::filesystem::path& file);

}  // namespace lossmap
