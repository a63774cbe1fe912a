#include "kernels/cuda/launch.cuh"
#include "kernels/split_stage.hpp"

LOSSMAP_CUDA_KERNEL(tf32_stage, StageArgs)
