#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// A value of the network as a backend computed it, held against the interpreter.
struct LayerDifference {
    std::string name;         ///< of the value
    std::string operators;    ///< what computes it from values that are shown: "Conv, Relu"; of many "5 Conv, 4 Relu"
    double largest = 0.0;     ///< largest finite element's magnitude
    double difference = 0.0;  ///< largest one of an element, over `largest`; infinite where only one is finite
    double bound = 0.0;       ///< what rounding explains, in the same unit

    [[nodiscard]] bool agrees() const { return difference <= bound; }
};

/// Every value that `tested` shows at a point (Executable::trace), in the order of the graph, for the first `samples`
/// of the chunk. Each is computed again from the *tested* values before it, so that a fault shows where it arises and
/// nowhere else. The bound is what becomes of the results when every operand is moved by a few units of the last place
/// (of the request's precision; times the root of the number of terms, Higham and Mary 2019, section 3): the forward
/// error that a backward stable implementation may have, whatever the operator.
/// @param tested  of a request like `request`, traceable
/// @param samples  as many as the model's batch where it declares one
/// Empty where the backend shows nothing. Throws what bind_request and the kernels throw.
[[nodiscard]] std::vector<LayerDifference> compare_layers(const ExecutableRequest& request, Executable& tested,
                                                          const Point& point, const SampleChunk& chunk,
                                                          std::int64_t samples);

/// Half a unit in the last place of 1: 2^-24, 2^-11 (tf32, fp16), 2^-8.
[[nodiscard]] double unit_roundoff(Precision precision);

/// The largest difference of an element over the largest finite magnitude of `expected`; infinite where one is not
/// finite and the other one is something else. `largest` gets that magnitude where it is given.
[[nodiscard]] double relative_difference(std::span<const float> expected, std::span<const float> actual,
                                         double* largest = nullptr);

}  // namespace lossmap
