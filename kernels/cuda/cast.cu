#include "kernels/cast.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(cast, CastArgs)
