#include "cuda/runtime/device.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>

#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {
namespace {

DeviceProperties read_properties(int ordinal) {
    cudaDeviceProp properties{};
    LOSSMAP_CUDA(cudaGetDeviceProperties(&properties, ordinal));
    const DeviceGuard guard(ordinal);
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    LOSSMAP_CUDA(cudaMemGetInfo(&free_bytes, &total_bytes));
    return {.ordinal = ordinal,
            .name = properties.name,
            .compute_major = properties.major,
            .compute_minor = properties.minor,
            .multiprocessors = properties.multiProcessorCount,
            .memory_bytes = static_cast<std::int64_t>(total_bytes),
            .free_bytes = static_cast<std::int64_t>(free_bytes),
            .l2_bytes = properties.l2CacheSize,
            .shared_bytes_per_block = static_cast<std::int64_t>(properties.sharedMemPerBlockOptin)};
}

}  // namespace

int count_devices() {
    int count = 0;
    if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
    static_cast<void>(cudaGetLastError());
    return 0;
}

DeviceList list_devices(const std::vector<int>& ordinals) {
    DeviceList list;
    static_cast<void>(cudaRuntimeGetVersion(&list.runtime_version));
    static_cast<void>(cudaDriverGetVersion(&list.driver_version));
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) {
        static_cast<void>(cudaGetLastError());
        list.why_none = list.driver_version == 0 ? "no NVIDIA driver is installed" : cudaGetErrorString(status);
        return list;
    }
    for (int ordinal = 0; ordinal < count; ++ordinal) {
        if (!ordinals.empty() && std::find(ordinals.begin(), ordinals.end(), ordinal) == ordinals.end()) continue;
        try {
            list.devices.push_back(read_properties(ordinal));
        } catch (const CudaError& error) {
            list.why_none = fmt::format("device {}: {}", ordinal, error.what());
        }
    }
    if (count == 0) list.why_none = "the driver knows no device";
    return list;
}

DeviceGuard::DeviceGuard(int ordinal) {
    LOSSMAP_CUDA(cudaGetDevice(&former_));
    LOSSMAP_CUDA(cudaSetDevice(ordinal));
}

DeviceGuard::~DeviceGuard() { static_cast<void>(cudaSetDevice(former_)); }

}  // namespace lossmap::cuda
