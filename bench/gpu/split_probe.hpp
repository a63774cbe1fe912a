#pragma once

#include <nlohmann/json.hpp>

#include "cuda/runtime/stream.hpp"

namespace lossmap::bench {

/// Each shape of the prototype for split products: compared with its emulation on the host, then timed.
[[nodiscard]] nlohmann::json probe_split_layers(int multiprocessors, const cuda::Stream& stream);

}  // namespace lossmap::bench
