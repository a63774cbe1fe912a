#include "kernels/gemm.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(gemm, GemmArgs)
