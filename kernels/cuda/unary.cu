#include "kernels/unary.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(unary, UnaryArgs)
