#pragma once

#include <cstdint>

#include "kernels/loss_terms.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// LossSums of the interface, as the device writes them (the same fields in the same order).
struct DeviceLossSums {
    double loss_sum = 0.0;
    double loss_square_sum = 0.0;
    double weight_sum = 0.0;
    std::int64_t correct = 0;
    std::int64_t counted = 0;
    std::int64_t non_finite = 0;
    std::int64_t overflowed = 0;  ///< samples with `overflow` set
};

/// sums[point] += the terms of `samples` samples, added in a fixed order that depends on `samples` alone.
struct LossSumsArgs {
    const SampleLoss* terms = nullptr;
    std::int64_t terms_point_stride = 0;
    std::int64_t points = 0;
    std::int64_t samples = 0;
    DeviceLossSums* sums = nullptr;  ///< [points]
};

}  // namespace lossmap::kernels
