#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/theta.hpp"

namespace lossmap::kernels {

/// One batch normalisation: y = x * scale + shift with scale = gamma / sqrt(variance + epsilon), shift = beta - mean *
/// scale, in fp64, from perturbed values. A negative variance gives NaN.
struct FoldTarget {
    ThetaArray gamma;  ///< absent: 1
    ThetaArray beta;   ///< absent: 0
    ThetaArray mean;
    ThetaArray variance;
    double epsilon = 1e-5;
    std::int64_t channels = 0;
    double* scale = nullptr;  ///< [points, channels], `point_stride` apart
    double* shift = nullptr;
    std::int64_t point_stride = 0;
    std::int64_t first = 0;  ///< sum of the channels of the targets in front
};

struct FoldFactorsArgs {
    const FoldTarget* targets = nullptr;  ///< [target_count] in device memory
    int target_count = 0;
    std::int64_t channels = 0;  ///< of all targets
    Coordinates coordinates;
    std::int64_t points = 0;
};

/// Target that item `index` belongs to: the last one whose `first` is not above it. Targets without items are skipped.
template <typename Target>
LOSSMAP_HD inline const Target& target_of(const Target* targets, int count, std::int64_t index) {
    int low = 0;
    int high = count;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (targets[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return targets[low];
}

struct FoldFactors {
    FoldFactorsArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const FoldTarget& target = target_of(args.targets, args.target_count, index);
        const std::int64_t channel = index - target.first;
        const auto value = [&](const ThetaArray& array, double absent) {
            return array.base == nullptr ? absent
                                         : static_cast<double>(theta_at(array, args.coordinates, point, channel));
        };
        const double scale = value(target.gamma, 1.0) / std::sqrt(value(target.variance, 0.0) + target.epsilon);
        const std::int64_t at = point * target.point_stride + channel;
        target.scale[at] = scale;
        target.shift[at] = value(target.beta, 0.0) - value(target.mean, 0.0) * scale;
    }
};

template <typename Launch>
void launch_fold_factors(const FoldFactorsArgs& args, const Launch& launch) {
    launch.items(args.points, args.channels, FoldFactors{args});
}

}  // namespace lossmap::kernels
