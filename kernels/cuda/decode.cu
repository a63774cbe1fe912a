#include "kernels/decode.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(decode, DecodeArgs)
