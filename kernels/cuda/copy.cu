#include "kernels/copy.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(copy, CopyArgs)
