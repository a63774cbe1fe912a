#include "kernels/gram.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(gram_parts, GramPartsArgs)
LOSSMAP_CUDA_KERNEL(gram_sums, GramSumsArgs)
