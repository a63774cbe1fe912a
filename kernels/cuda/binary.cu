#include "kernels/binary.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(binary, BinaryArgs)
