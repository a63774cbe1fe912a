#pragma once

#include <optional>

#include "output/plane_values.hpp"

namespace lossmap {

/// Added before the logarithm, as the reference implementation does.
inline constexpr double kLogOffset = 0.1;

/// How a loss becomes a z value.
struct ZScale {
    std::optional<double> zmax;
    bool log = false;

    [[nodiscard]] bool changes_values() const { return zmax.has_value() || log; }
};

/// A loss, clamped to zmax, then ln(loss + 0.1) with `log`. NaN when it is not finite or has no logarithm.
[[nodiscard]] double scaled_loss(double loss, const ZScale& scale);

/// Loss at `point`, clamped to zmax, then ln(loss + 0.1) with `log`. NaN for a gap, which is counted.
[[nodiscard]] double z_value(const SplitSurface& split, std::size_t point, const ZScale& scale, GapCounts& gaps);

}  // namespace lossmap
