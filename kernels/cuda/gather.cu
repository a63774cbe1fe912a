#include "kernels/gather.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(gather, GatherArgs)
LOSSMAP_CUDA_KERNEL(gather_elements, GatherElementsArgs)
LOSSMAP_CUDA_KERNEL(gather_nd, GatherNdArgs)
