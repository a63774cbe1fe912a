#include "kernels/stage.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(stage, StageArgs)
