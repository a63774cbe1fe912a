#include <cuda_fp16.h>

#include "bench/gpu/probe_kernels.hpp"
#include "cuda/runtime/check.hpp"

namespace lossmap::bench {
namespace {

constexpr int kThreads = 512;
constexpr int kUnroll = 8;  // independent 16-byte loads in flight a thread

__device__ __forceinline__ void accumulate(uint4& total, uint4 value) {
    total.x ^= value.x;
    total.y ^= value.y;
    total.z ^= value.z;
    total.w ^= value.w;
}

__device__ __forceinline__ uint4 load_past_l1(const uint4* address) {
    uint4 value;
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                 : "l"(address));
    return value;
}

__global__ void __launch_bounds__(kThreads)
    read_kernel(const uint4* source, std::size_t words, int repeats, uint4* sink) {
    const std::size_t stride = static_cast<std::size_t>(gridDim.x) * kThreads;
    uint4 total = make_uint4(0, 0, 0, 0);
    for (int repeat = 0; repeat < repeats; ++repeat) {
        // Another start each time: the same line is not met by the same multiprocessor, so that L1 cannot help.
        const std::size_t shift = static_cast<std::size_t>(repeat) * 7919 * kThreads;
        for (std::size_t base = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x; base < words;
             base += stride * kUnroll) {
            uint4 values[kUnroll];
#pragma unroll
            for (int i = 0; i < kUnroll; ++i)
                values[i] = load_past_l1(source + (base + i * stride + shift) % words);
#pragma unroll
            for (int i = 0; i < kUnroll; ++i)
                accumulate(total, values[i]);
        }
    }
    if ((total.x ^ total.y ^ total.z ^ total.w) == 0x9e3779b9u) sink[threadIdx.x] = total;
}

__global__ void __launch_bounds__(kThreads) copy_kernel(const uint4* source, uint4* target, std::size_t words) {
    const std::size_t stride = static_cast<std::size_t>(gridDim.x) * kThreads;
    for (std::size_t base = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x; base < words;
         base += stride * kUnroll) {
        uint4 values[kUnroll];
#pragma unroll
        for (int i = 0; i < kUnroll; ++i)
            if (base + i * stride < words) values[i] = source[base + i * stride];
#pragma unroll
        for (int i = 0; i < kUnroll; ++i)
            if (base + i * stride < words) target[base + i * stride] = values[i];
    }
}

__global__ void __launch_bounds__(kThreads) shared_read_kernel(int iterations, uint4* sink) {
    __shared__ uint4 tile[kThreads * 4];
    for (int i = threadIdx.x; i < kThreads * 4; i += kThreads)
        tile[i] = make_uint4(i, i * 3, i * 5, i * 7);
    __syncthreads();
    uint4 total = make_uint4(0, 0, 0, 0);
    for (int iteration = 0; iteration < iterations; ++iteration) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            // The index depends on what was read, through a value that is always 0: no load can be hoisted or merged.
            const unsigned zero = total.x >> 31 & total.x >> 30 & 0u;
            const volatile unsigned* words = reinterpret_cast<const volatile unsigned*>(
                &tile[((threadIdx.x + iteration) & (kThreads - 1)) + i * kThreads + zero]);
            uint4 value;
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                         : "r"(static_cast<unsigned>(__cvta_generic_to_shared(const_cast<unsigned*>(words)))));
            accumulate(total, value);
        }
    }
    if ((total.x ^ total.y ^ total.z ^ total.w) == 0x9e3779b9u) sink[threadIdx.x] = total;
}

__global__ void empty_kernel() {}

__global__ void fill_fp16_kernel(std::uint16_t* target, std::size_t count) {
    const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
    for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
        std::uint32_t hash = static_cast<std::uint32_t>(i) * 2654435761u;
        hash ^= hash >> 15;
        hash *= 0x2c1b3c6du;
        hash ^= hash >> 12;
        target[i] = __half_as_ushort(__float2half(static_cast<float>(hash) * (2.0f / 4294967296.0f) - 1.0f));
    }
}

}  // namespace

ProbeWork launch_read(const uint4* source, std::size_t words, int repeats, int blocks, uint4* sink,
                      cudaStream_t stream) {
    read_kernel<<<blocks, kThreads, 0, stream>>>(source, words, repeats, sink);
    LOSSMAP_CUDA_LAUNCHED("read_kernel");
    // A thread runs whole rounds of kUnroll loads, also those that wrap around the end.
    const std::size_t stride = static_cast<std::size_t>(blocks) * kThreads;
    const std::size_t rounds = (words + stride * kUnroll - 1) / (stride * kUnroll);
    const bool exact = words % (stride * kUnroll) == 0;
    return {0.0, exact ? 16.0 * static_cast<double>(rounds * stride * kUnroll) * repeats : 0.0};
}

ProbeWork launch_copy(const uint4* source, uint4* target, std::size_t words, int blocks, cudaStream_t stream) {
    copy_kernel<<<blocks, kThreads, 0, stream>>>(source, target, words);
    LOSSMAP_CUDA_LAUNCHED("copy_kernel");
    return {0.0, 32.0 * static_cast<double>(words)};
}

ProbeWork launch_shared_read(int blocks, int iterations, uint4* sink, cudaStream_t stream) {
    shared_read_kernel<<<blocks, kThreads, 0, stream>>>(iterations, sink);
    LOSSMAP_CUDA_LAUNCHED("shared_read_kernel");
    return {0.0, 16.0 * 4 * kThreads * static_cast<double>(blocks) * iterations};
}

void launch_empty(cudaStream_t stream) {
    empty_kernel<<<1, 32, 0, stream>>>();
    LOSSMAP_CUDA_LAUNCHED("empty_kernel");
}

void launch_fill_fp16(std::uint16_t* target, std::size_t count, cudaStream_t stream) {
    fill_fp16_kernel<<<1024, 256, 0, stream>>>(target, count);
    LOSSMAP_CUDA_LAUNCHED("fill_fp16_kernel");
}

}  // namespace lossmap::bench
