#include "kernels/batch_statistics.hpp"

#include "kernels/cuda/launch.cuh"

LOSSMAP_CUDA_KERNEL(batch_statistics, BatchStatisticsArgs)
