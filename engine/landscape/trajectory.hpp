#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "backend/linear_algebra.hpp"
#include "landscape/direction.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// The checkpoints of one or several training runs, streamed: none is kept, several are never needed at once.
struct Trajectory {
    std::int64_t checkpoints = 0;
    std::optional<std::int64_t> origin = std::nullopt;  ///< which of them is theta_n; without it the last one
    const ParameterSpace* space = nullptr;
    /// Copies weights [first, first + weights.size()) of a checkpoint (0 ..). Called several times for each of them,
    /// from the calling thread; a PCA asks for each weight of each checkpoint twice.
    std::function<void(std::int64_t index, std::int64_t first, std::span<float> weights)> read;
};

/// A quarter of what 300 checkpoints of 25 million weights may take in all (2 GiB): the network and one checkpoint
/// being read need the rest. They are then read in slices of 1.7 MB.
inline constexpr std::int64_t kTrajectoryMemoryBytes = std::int64_t{512} << 20;

struct PcaOptions {
    bool center = true;                         ///< subtract the column means, as the reference implementation does
    std::vector<int> components = {1, 2};       ///< which ones to return, from 1
    IgnoreSet ignore{.one_dimensional = true};  ///< entries of these parameters are zero in every row
    /// For the slices of all checkpoints that are held at once. Beside them stand theta_n and, while a component is
    /// summed up, one checkpoint and 8 bytes a weight and component.
    std::int64_t memory_bytes = kTrajectoryMemoryBytes;
};

/// Principal components of the rows theta_e - theta_n. All value lists have min(checkpoints, weights) entries, largest
/// first.
struct TrajectoryPca {
    std::vector<Direction> components;  ///< unit vectors; the row with the largest share has a positive coordinate
    std::vector<double> singular_values;
    std::vector<double> explained_variance;  ///< s^2 / (checkpoints - 1), centred or not
    std::vector<double> explained_variance_ratio;
};

/// Li et al. 2018, section 7.2, through the Gram matrix of the rows (fp32 differences, fp64 products and sums): its
/// eigenvalues are the squared singular values. Throws InputError with fewer than two checkpoints, when all of them are
/// equal, a weight is not finite, or a component beyond the rank of the trajectory is asked for.
[[nodiscard]] TrajectoryPca trajectory_pca(const Trajectory& trajectory, const PcaOptions& options,
                                           LinearAlgebra& algebra);

/// Where a checkpoint lies with respect to a plane (or line) through the origin.
struct TrajectoryPoint {
    std::vector<double> coordinates;  ///< an axis d: (theta_e - theta_n) . d / |d|, uncentred, unmasked
    double norm = 0.0;                ///< |theta_e - theta_n|
    double distance = 0.0;            ///< to the span of the axes; exact for axes that are not orthogonal, too
    double weight_norm = 0.0;         ///< |theta_e|
};

/// One point a checkpoint; the origin is at 0. One or two axes. Throws InputError when an axis is zero or has another
/// size than the weights.
[[nodiscard]] std::vector<TrajectoryPoint> project_trajectory(const Trajectory& trajectory,
                                                              const std::vector<Direction>& axes);

/// L2 norm over all weights, fp64.
[[nodiscard]] double weight_norm(std::span<const float> weights);

}  // namespace lossmap
