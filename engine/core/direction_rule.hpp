#pragma once

#include <cstdint>

namespace lossmap {

/// What becomes of one tensor of a direction (Li et al. 2018, section 4).
enum class DirectionRule : std::uint8_t {
    filter,   ///< d_i *= |w_i| / (|d_i| + 1e-10) for each filter i
    dfilter,  ///< d_i /= |d_i| + 1e-10
    layer,    ///< d *= |w| / |d|
    dlayer,   ///< d /= |d|
    weight,   ///< d *= w, element by element
    zero,     ///< d = 0: ignored
    copy,     ///< d = w: tensors of one dimension
    keep,     ///< d stays
};

/// The reference implementation's guard against a filter of zeros.
inline constexpr double kNormGuard = 1e-10;

/// Squares of a norm are added in this many lanes, lane l taking elements l, l + 256, ..; then pairwise, the upper half
/// of the lanes onto the lower one. Host and devices do the same, so that a direction has the same bits everywhere.
inline constexpr int kNormLanes = 256;

}  // namespace lossmap
