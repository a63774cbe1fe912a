#include "kernels/gaussian_fill.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(gaussian_fill, GaussianFillArgs)
