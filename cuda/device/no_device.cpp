// Stands for the GPU in programs that are built without CUDA.
#include "cuda/device/cuda_device.hpp"

namespace lossmap::cuda {

OpenedDevices open_cuda_devices(const std::vector<int>&) {
    return {{}, "not built (configure with -DLOSSMAP_CUDA=ON)"};
}

int count_cuda_devices() { return 0; }

}  // namespace lossmap::cuda
