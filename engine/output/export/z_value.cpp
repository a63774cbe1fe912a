#include "output/export/z_value.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lossmap {

double z_value(const SplitSurface& split, std::size_t point, const ZScale& scale, GapCounts& gaps) {
    double value = drawn_loss(split, point, false, gaps);
    if (std::isnan(value)) return std::numeric_limits<double>::quiet_NaN();
    if (scale.zmax) value = std::min(value, *scale.zmax);
    if (!scale.log) return value;
    if (value + kLogOffset > 0.0) return std::log(value + kLogOffset);
    ++gaps.not_positive;
    return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace lossmap
