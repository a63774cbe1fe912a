#include "kernels/epilogue.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(epilogue, EpilogueArgs)
