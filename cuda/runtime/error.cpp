#include "cuda/runtime/error.hpp"

#include <cuda_runtime_api.h>

namespace lossmap::cuda {

void check_status(int status, const char* call, const char* file, int line) {
    const auto code = static_cast<cudaError_t>(status);
    if (code == cudaSuccess) return;
    const std::string message =
        fmt::format("{}:{}: {} failed: {} ({})", file, line, call, cudaGetErrorString(code), cudaGetErrorName(code));
    // The next check of a launch would be blamed for it; what broke the device itself stays.
    static_cast<void>(cudaGetLastError());
    if (code == cudaErrorMemoryAllocation) throw DeviceMemoryError(message);
    throw CudaError(message);
}

void refuse_launch(const char* reason, long long value) { throw InternalError("{}: {}", reason, value); }

}  // namespace lossmap::cuda
