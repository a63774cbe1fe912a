#include "kernels/fold_factors.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(fold_factors, FoldFactorsArgs)
