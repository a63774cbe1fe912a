#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "landscape/surface.hpp"
#include "output/scalar_grid.hpp"

namespace lossmap {

/// How many points a picture leaves out, and why; and how many it shows that were not computed.
struct GapCounts {
    std::int64_t points = 0;
    std::int64_t interpolated = 0;  ///< drawn
    std::int64_t not_computed = 0;
    std::int64_t not_finite = 0;
    std::int64_t not_positive = 0;  ///< only with a logarithmic scale

    [[nodiscard]] bool any() const { return not_computed + not_finite + not_positive > 0; }
    GapCounts& operator+=(const GapCounts& other);
    /// "3 of 51 points not finite, 2 not computed"; "" when there is no gap.
    [[nodiscard]] std::string text() const;
    /// "497 of 2601 points computed, the others interpolated"; "" when nothing is interpolated.
    [[nodiscard]] std::string interpolation_text() const;
};

/// Loss at `point` as drawn, interpolated where a refined grid has it so: NaN for a gap, which is counted.
[[nodiscard]] double drawn_loss(const SplitSurface& split, std::size_t point, bool log, GapCounts& gaps);

/// The values of a plane as a picture shows them.
struct PlaneValues {
    ScalarGrid grid;  ///< loss, or its decimal logarithm; NaN is a gap
    GapCounts gaps;
    double low = 0.0;  ///< least and largest loss drawn, before the logarithm; NaN when there is none
    double high = 0.0;
};

/// Throws InputError when the vectors do not fit the axes or an axis does not increase.
[[nodiscard]] PlaneValues plane_values(const Surface& surface, const SplitSurface& split, bool log);

}  // namespace lossmap
