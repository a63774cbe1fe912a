#pragma once

#include <cuda_runtime_api.h>

#include "bench/gpu/wgmma_layers.hpp"

namespace lossmap::bench {

/// Whether the current device runs code for sm_90a.
[[nodiscard]] bool has_wgmma();

/// Runs all tiles of `args`, a block a multiprocessor. For the shapes of for_each_wgmma_shape alone.
template <typename Shape>
void launch_wgmma_layers(const WgmmaArgs& args, int multiprocessors, cudaStream_t stream);

}  // namespace lossmap::bench
