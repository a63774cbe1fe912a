#include "kernels/ordering.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(cumulative, CumulativeArgs)
LOSSMAP_CUDA_KERNEL(top_k, TopKArgs)
