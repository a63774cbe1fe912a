#include "kernels/generate.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(range, RangeArgs)
LOSSMAP_CUDA_KERNEL(one_hot, OneHotArgs)
LOSSMAP_CUDA_KERNEL(trilu, TriluArgs)
