#include "kernels/warpgroup_stage.hpp"

#include "kernels/cuda/warpgroup_launch.cuh"

LOSSMAP_WARPGROUP_KERNEL(warpgroup_stage)
