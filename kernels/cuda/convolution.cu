#include "kernels/convolution.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(convolution, ConvolutionArgs)
