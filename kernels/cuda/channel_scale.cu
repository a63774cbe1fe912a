#include "kernels/channel_scale.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(batch_norm, BatchNormArgs)
LOSSMAP_CUDA_KERNEL(local_response, LocalResponseArgs)
LOSSMAP_CUDA_KERNEL(lp_normalize, LpNormalizeArgs)
