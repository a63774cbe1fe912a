#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// What becomes of one tensor of a direction (Li et al. 2018, section 4).
enum class DirectionRule : std::uint8_t {
    filter,   ///< d_i *= |w_i| / (|d_i| + 1e-10) for each filter i
    dfilter,  ///< d_i /= |d_i| + 1e-10
    layer,    ///< d *= |w| / |d|
    dlayer,   ///< d /= |d|
    weight,   ///< d *= w, element by element
    zero,     ///< d = 0: ignored
    copy,     ///< d = w: tensors of one dimension
};

/// One tensor, in place, read as [outer, count, inner]: element (o, f, i) is part of filter f. Norms are fp64 sums in a
/// fixed order; the factor is rounded to fp32 before it is applied.
struct NormalizeDirectionArgs {
    float* direction = nullptr;
    const float* weights = nullptr;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    DirectionRule rule = DirectionRule::filter;
};

}  // namespace lossmap::kernels
