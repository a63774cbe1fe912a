#include "kernels/select.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(select, SelectArgs)
