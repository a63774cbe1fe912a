#include "kernels/resample.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(resample, ResampleArgs)
