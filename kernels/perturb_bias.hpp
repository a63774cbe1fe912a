#pragma once

#include <cstdint>

#include "kernels/fold_factors.hpp"
#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/theta.hpp"

namespace lossmap::kernels {

/// The bias of one layer with a batch norm folded in: (bias * bias_factor + added) * scale + shift, in fp64.
struct BiasTarget {
    ThetaArray bias;           ///< of the layer itself; absent: 0
    bool one_for_all = false;  ///< `bias` holds one number for all filters
    double bias_factor = 1.0;
    ThetaArray added;               ///< added behind the layer, in front of the norm; absent: 0
    const double* scale = nullptr;  ///< [points, filters] of fold_factors; null: 1 and 0
    const double* shift = nullptr;
    std::int64_t scale_point_stride = 0;
    std::int64_t filters = 0;
    std::int64_t padded_filters = 0;  ///< the rest of the output is 0
    void* out = nullptr;
    DType type = DType::f32;
    std::int64_t out_point_stride = 0;
    std::int64_t first = 0;  ///< sum of padded_filters of the targets in front
};

struct PerturbBiasArgs {
    const BiasTarget* targets = nullptr;  ///< [target_count] in device memory
    int target_count = 0;
    std::int64_t filters = 0;  ///< padded, of all targets
    Coordinates coordinates;
    std::int64_t points = 0;
};

struct PerturbBias {
    PerturbBiasArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const BiasTarget& target = target_of(args.targets, args.target_count, index);
        const std::int64_t filter = index - target.first;
        const std::int64_t at = point * target.out_point_stride + filter;
        if (filter >= target.filters) return store_float(target.out, target.type, at, 0.0F);
        double value = 0.0;
        if (target.bias.base != nullptr) {
            const std::int64_t source = target.one_for_all ? 0 : filter;
            value = static_cast<double>(theta_at(target.bias, args.coordinates, point, source)) * target.bias_factor;
        }
        if (target.added.base != nullptr)
            value += static_cast<double>(theta_at(target.added, args.coordinates, point, filter));
        if (target.scale != nullptr) {
            const std::int64_t factor = point * target.scale_point_stride + filter;
            value = value * target.scale[factor] + target.shift[factor];
        }
        store_float(target.out, target.type, at, static_cast<float>(value));
    }
};

template <typename Launch>
void launch_perturb_bias(const PerturbBiasArgs& args, const Launch& launch) {
    launch.items(args.points, args.filters, PerturbBias{args});
}

}  // namespace lossmap::kernels
