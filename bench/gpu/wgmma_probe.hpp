#pragma once

#include <nlohmann/json.hpp>

#include "cuda/runtime/stream.hpp"

namespace lossmap::bench {

/// Each shape of the wgmma prototype: compared with its emulation on the host, then timed. {} on devices that are not
/// sm_90.
[[nodiscard]] nlohmann::json probe_wgmma_layers(int multiprocessors, const cuda::Stream& stream);

}  // namespace lossmap::bench
