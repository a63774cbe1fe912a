#include "kernels/perturb.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(perturb, PerturbArgs)
