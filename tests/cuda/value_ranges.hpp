#pragma once

#include <vector>

#include "backend/backend.hpp"

namespace lossmap::test {

/// What a tile's samples reach at a point, in fp32.
struct Ranges {
    std::vector<double> stored;  ///< of each sample: largest magnitude of what is stored for sure
    double all = 0.0;            ///< of everything
    bool finite = true;
};

/// Computed node by node, by the operators' own kernels.
[[nodiscard]] Ranges ranges_of(const ExecutableRequest& request, const Point& point, const SampleChunk& chunk);

}  // namespace lossmap::test
