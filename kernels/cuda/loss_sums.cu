#include "kernels/loss_sums.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(loss_sums, LossSumsArgs)
