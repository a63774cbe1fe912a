#include "kernels/reduce.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(reduce, ReduceArgs)
LOSSMAP_CUDA_KERNEL(arg_reduce, ArgReduceArgs)
