#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// How far a run's arithmetic is from plain fp32, measured before the run.
struct PrecisionError {
    std::int64_t samples = 0;
    std::vector<Point> points;
    std::vector<double> relative;  ///< of the mean loss, one a point; NaN or infinite where one of both is no number
};

/// Measures at the first, the middle and the last of the points on the data's first samples; no points where the
/// executable computes in plain fp32.
[[nodiscard]] PrecisionError probe_precision(Executable& executable, const std::vector<Point>& points,
                                             const Dataset& data);

/// What a log says of it. `unexplained`: beyond what rounding makes of a loss in that precision.
struct PrecisionRemark {
    std::string text;
    bool unexplained = false;
};

/// @param error    of at least one point
/// @param backend  "cpu" or "cuda": whose fast kernels may be to blame
[[nodiscard]] PrecisionRemark remark_on(const PrecisionError& error, Precision precision, const std::string& backend);

}  // namespace lossmap
