#include "kernels/perturb.hpp"

#include "kernels/cuda/launch.cuh"
#include "kernels/fold_factors.hpp"
#include "kernels/perturb_bias.hpp"

LOSSMAP_CUDA_KERNEL(fold_factors, FoldFactorsArgs)
LOSSMAP_CUDA_KERNEL(perturb, PerturbArgs)
LOSSMAP_CUDA_KERNEL(perturb_bias, PerturbBiasArgs)
