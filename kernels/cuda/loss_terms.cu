#include "kernels/loss_terms.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(loss_terms, LossTermsArgs)
