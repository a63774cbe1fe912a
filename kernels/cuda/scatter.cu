#include "kernels/scatter.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(scatter_elements, ScatterElementsArgs)
LOSSMAP_CUDA_KERNEL(scatter_nd, ScatterNdArgs)
