#include "kernels/normalize.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(normalize, NormalizeArgs)
