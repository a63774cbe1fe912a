#include "bench/gpu/gemm_probe.hpp"

#include <memory>
#include <type_traits>

#include <cublas_v2.h>

#include "bench/gpu/probe_kernels.hpp"
#include "bench/gpu/probe_timer.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/error.hpp"

namespace lossmap::bench {
namespace {

struct DestroyHandle {
    void operator()(cublasHandle_t handle) const noexcept { static_cast<void>(cublasDestroy(handle)); }
};
using Handle = std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, DestroyHandle>;

void require(cublasStatus_t status, const char* call) {
    if (status != CUBLAS_STATUS_SUCCESS) throw Error("{} failed: {}", call, cublasGetStatusString(status));
}

}  // namespace

double gemm_tflops(const std::string& precision, int extent, const cuda::Stream& stream) {
    const bool half = precision == "fp16" || precision == "bf16";
    const cudaDataType_t type = precision == "fp16" ? CUDA_R_16F : precision == "bf16" ? CUDA_R_16BF : CUDA_R_32F;
    const cublasComputeType_t compute = precision == "tf32" ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cublasHandle_t raw = nullptr;
    require(cublasCreate(&raw), "cublasCreate");
    const Handle handle(raw);
    require(cublasSetStream(raw, stream.get()), "cublasSetStream");
    const std::size_t count = static_cast<std::size_t>(extent) * static_cast<std::size_t>(extent);
    const cuda::DeviceBuffer a(count * (half ? 2 : 4), stream);
    const cuda::DeviceBuffer b(count * (half ? 2 : 4), stream);
    const cuda::DeviceBuffer c(count * (half ? 2 : 4), stream);
    // As fp32 or bf16 the same bits are other finite numbers of mixed sign, which is all that the power draw asks for.
    launch_fill_fp16(a.as<std::uint16_t>(), a.size_bytes() / 2, stream.get());
    launch_fill_fp16(b.as<std::uint16_t>(), b.size_bytes() / 2, stream.get());
    const float one = 1.0f;
    const float zero = 0.0f;
    const double ms = median_ms(stream, 9, [&] {
        require(cublasGemmEx(raw, CUBLAS_OP_T, CUBLAS_OP_N, extent, extent, extent, &one, a.data(), type, extent,
                             b.data(), type, extent, &zero, c.data(), type, extent, compute, CUBLAS_GEMM_DEFAULT),
                "cublasGemmEx");
    });
    return 2.0 * static_cast<double>(count) * extent / ms * 1e-9;
}

}  // namespace lossmap::bench
