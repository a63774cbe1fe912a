#pragma once

#include <cuda_runtime_api.h>

#include "bench/gpu/split_layers.hpp"

namespace lossmap::bench {

/// Runs all tiles of `args`, as many blocks as the device holds. For the shapes of for_each_split_shape alone.
template <typename Shape>
void launch_split_layers(const SplitArgs& args, cudaStream_t stream);

}  // namespace lossmap::bench
