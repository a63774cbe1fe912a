#include "kernels/convolution_tiles.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(convolution_tiles, ConvolutionArgs)
