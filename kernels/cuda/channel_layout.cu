#include "kernels/channel_layout.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(channel_layout, ChannelLayoutArgs)
