#include "kernels/dense_chain.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(dense_chain, DenseChainArgs)
