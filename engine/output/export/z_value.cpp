#include "output/export/z_value.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lossmap {

double scaled_loss(double loss, const ZScale& scale) {
    if (!std::isfinite(loss)) return std::numeric_limits<double>::quiet_NaN();
    const double value = scale.zmax ? std::min(loss, *scale.zmax) : loss;
    if (!scale.log) return value;
    if (value + kLogOffset > 0.0) return std::log(value + kLogOffset);
    return std::numeric_limits<double>::quiet_NaN();
}

double z_value(const SplitSurface& split, std::size_t point, const ZScale& scale, GapCounts& gaps) {
    const double loss = drawn_loss(split, point, false, gaps);
    if (std::isnan(loss)) return loss;
    const double value = scaled_loss(loss, scale);
    if (std::isnan(value)) ++gaps.not_positive;
    return value;
}

}  // namespace lossmap
