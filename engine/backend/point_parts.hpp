#pragma once

#include <algorithm>
#include <cstddef>

namespace lossmap {

/// Neighbouring points of a call.
struct PointPart {
    std::size_t first = 0;
    std::size_t count = 0;
};

/// What part `k` of `parts` has of `points` points: whole passes of `points_per_pass` as far as possible, the first
/// parts the longer ones; later ones may have none.
[[nodiscard]] constexpr PointPart point_part(std::size_t points, std::size_t points_per_pass, std::size_t parts,
                                             std::size_t k) {
    const std::size_t passes = (points + points_per_pass - 1) / points_per_pass;
    const std::size_t part = std::max<std::size_t>((passes + parts - 1) / parts, 1) * points_per_pass;
    const std::size_t first = std::min(k * part, points);
    return {first, std::min(part, points - first)};
}

}  // namespace lossmap
