#include "kernels/pool.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(pool, PoolArgs)
