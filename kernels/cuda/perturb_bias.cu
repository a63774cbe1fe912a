#include "kernels/perturb_bias.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(perturb_bias, PerturbBiasArgs)
