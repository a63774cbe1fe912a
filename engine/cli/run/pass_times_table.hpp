#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "backend/backend.hpp"

namespace lossmap {

/// Seconds of all operations together.
[[nodiscard]] double seconds_of(const std::vector<OperationTime>& operations);
/// Passes that so many samples take.
[[nodiscard]] std::int64_t tiles_of(std::int64_t samples, const PassTimes& times);

/// A table of operations with their share of the time of a chunk of so many samples, and the shares of what computes
/// them.
void print_pass_times(const PassTimes& times, std::int64_t chunk_samples, std::ostream& out);

}  // namespace lossmap
