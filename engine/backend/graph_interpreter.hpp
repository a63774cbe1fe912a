#pragma once

#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// Every f32 value that depends on samples, in the order of the graph's nodes, at one point for the first `samples` of
/// a chunk: node by node through the operator table's own kernels, nothing fused. Slow; what backends are held against
/// when they disagree. Throws what bind_request throws.
[[nodiscard]] std::vector<NamedTensor> interpret(const ExecutableRequest& request, const Point& point,
                                                 const SampleChunk& chunk, std::int64_t samples);

}  // namespace lossmap
