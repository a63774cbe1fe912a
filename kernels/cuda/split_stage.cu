#include "kernels/split_stage.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(split_stage, StageArgs)
