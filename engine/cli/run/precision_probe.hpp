#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// How far a reduced precision is from fp32, measured before a run.
struct PrecisionError {
    std::int64_t samples = 0;
    std::vector<Point> points;
    std::vector<double> relative;  ///< of the mean loss, one a point
};

/// Measures at the first, the middle and the last of the points on the data's first samples; no points where the
/// executable computes in fp32.
[[nodiscard]] PrecisionError probe_precision(Executable& executable, const std::vector<Point>& points,
                                             const Dataset& data);

}  // namespace lossmap
