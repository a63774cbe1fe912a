#pragma once

// For kernels' sources too: no header of the standard library or of fmt, which device compilers stumble over.

namespace lossmap::cuda {

/// Throws CudaError (DeviceMemoryError for cudaErrorMemoryAllocation) when `status`, a cudaError_t as int, is not
/// cudaSuccess.
void check_status(int status, const char* call, const char* file, int line);

/// Throws InternalError: a launcher was called with what it does not do.
[[noreturn]] void refuse_launch(const char* reason, long long value);

}  // namespace lossmap::cuda

/// Every runtime call goes through this.
#define LOSSMAP_CUDA(call) ::lossmap::cuda::check_status(static_cast<int>(call), #call, __FILE__, __LINE__)
/// Behind every launch, inside its launcher: catches what the launch itself refused. Does not synchronise.
#define LOSSMAP_CUDA_LAUNCHED(kernel) \
    ::lossmap::cuda::check_status(static_cast<int>(cudaPeekAtLastError()), "launch of " kernel, __FILE__, __LINE__)
