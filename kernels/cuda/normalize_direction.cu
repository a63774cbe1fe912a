#include "kernels/normalize_direction.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(normalize_direction, NormalizeDirectionArgs)
