#include "kernels/softmax.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(softmax, SoftmaxArgs)
