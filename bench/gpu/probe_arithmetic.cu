#define CUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED  // N = 48
#include <cute/arch/mma_sm90_gmma.hpp>
#include <utility>

#include "bench/gpu/probe_kernels.hpp"
#include "cuda/runtime/check.hpp"

namespace lossmap::bench {
namespace {

constexpr int kThreads = 256;
constexpr int kChains = 16;
constexpr int kTiles = 8;
constexpr float kNever = 1.2345678e33f;

__global__ void __launch_bounds__(kThreads) ffma_kernel(int iterations, float* sink) {
    float accumulators[kChains];
    float factors[kChains];
#pragma unroll
    for (int i = 0; i < kChains; ++i) {
        accumulators[i] = static_cast<float>(threadIdx.x + i);
        factors[i] = 1.0f - 1e-3f * static_cast<float>(threadIdx.x * kChains + i + 1);
    }
    for (int iteration = 0; iteration < iterations; ++iteration) {
#pragma unroll
        for (int i = 0; i < kChains; ++i)
            accumulators[i] = fmaf(accumulators[i], factors[i], 0.5f);
    }
    float total = 0.0f;
#pragma unroll
    for (int i = 0; i < kChains; ++i)
        total += accumulators[i];
    if (total == kNever) sink[threadIdx.x] = total;
}

__device__ __forceinline__ void mma_fp16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <bool kTf32>
__global__ void __launch_bounds__(kThreads) mma_kernel(int iterations, float* sink) {
    float c[kTiles][4] = {};
    unsigned a[4];
    unsigned b[kTiles][2];
    // Finite, varied operands: 0x3c00 is 1.0 in fp16, 0x3f800000 in fp32.
    const unsigned base = kTf32 ? 0x3f800000u : 0x3c003c00u;
    const unsigned mask = kTf32 ? 0x007fe000u : 0x03ff03ffu;
#pragma unroll
    for (int i = 0; i < 4; ++i)
        a[i] = base ^ (((threadIdx.x + 1) * 2654435761u * (i + 1)) & mask);
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
        b[tile][0] = base ^ 0x80000000u ^ (((threadIdx.x + 7) * 2246822519u * (tile + 1)) & mask);
        b[tile][1] = base ^ (((threadIdx.x + 3) * 3266489917u * (tile + 1)) & mask);
    }
    for (int iteration = 0; iteration < iterations; ++iteration) {
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) {
            if constexpr (kTf32) {
                mma_tf32(c[tile], a, b[tile]);
            } else {
                mma_fp16(c[tile], a, b[tile]);
            }
        }
    }
    float total = 0.0f;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
        total += c[tile][0] + c[tile][1] + c[tile][2] + c[tile][3];
    if (total == kNever) sink[threadIdx.x] = total;
}

__global__ void mma_sum_kernel(float start, int terms, unsigned left, unsigned right, float* result) {
    float c[4] = {start, start, start, start};
    unsigned a[4], b[2] = {right | right << 16, right | right << 16};
    // Registers 0, 1 hold columns 2 (lane % 4) and the next one, registers 2, 3 those 8 further.
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const int column = static_cast<int>(threadIdx.x) % 4 * 2 + k / 2 * 8;
        a[k] = (column < terms ? left : 0u) | (column + 1 < terms ? left << 16 : 0u);
    }
    mma_fp16(c, a, b);
    if (threadIdx.x == 0) *result = c[0];
}

template <int N>
struct Wgmma;
#define LOSSMAP_WGMMA(n)                                                                                            \
    template <>                                                                                                     \
    struct Wgmma<n> {                                                                                               \
        using Shared =                                                                                              \
            cute::SM90::GMMA::MMA_64x##n##x16_F32F16F16_SS<cute::SM90::GMMA::Major::K, cute::SM90::GMMA::Major::K>; \
        using Registers =                                                                                           \
            cute::SM90::GMMA::MMA_64x##n##x16_F32F16F16_RS<cute::SM90::GMMA::Major::K, cute::SM90::GMMA::Major::K>; \
    };
LOSSMAP_WGMMA(16)
LOSSMAP_WGMMA(48)
LOSSMAP_WGMMA(96)
LOSSMAP_WGMMA(192)
#undef LOSSMAP_WGMMA

/// Descriptor of a K-major tile without swizzle: 8 x 16-byte core matrices of 128 bytes, `leading` bytes between the
/// two along K, `stride` bytes between neighbours along M or N (PTX ISA, "matrix descriptor").
__device__ __forceinline__ std::uint64_t descriptor(const void* tile, unsigned leading, unsigned stride) {
    const auto address = static_cast<std::uint64_t>(__cvta_generic_to_shared(tile));
    return ((address & 0x3ffff) >> 4) | (static_cast<std::uint64_t>((leading & 0x3ffff) >> 4) << 16) |
           (static_cast<std::uint64_t>((stride & 0x3ffff) >> 4) << 32);
}

template <int N, bool kRegisters, std::size_t... I>
__device__ __forceinline__ void wgmma(float (&c)[N / 2], const std::uint32_t (&a)[4], std::uint64_t a_tile,
                                      std::uint64_t b_tile, std::index_sequence<I...>) {
    if constexpr (kRegisters) {
        Wgmma<N>::Registers::fma(a[0], a[1], a[2], a[3], b_tile, c[I]...);
    } else {
        Wgmma<N>::Shared::fma(a_tile, b_tile, c[I]...);
    }
}

constexpr int kDepth = 4;  // k16 steps before the group is committed, each with operands of its own

template <int N, bool kRegisters>
__global__ void __launch_bounds__(512, 1) wgmma_kernel(int iterations, float* sink) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    extern __shared__ __align__(1024) std::uint16_t shared[];
    const int warpgroup = threadIdx.x / 128;
    std::uint16_t* a_tiles = shared + warpgroup * kDepth * 64 * 16;
    std::uint16_t* b_tiles = shared + (blockDim.x / 128) * kDepth * 64 * 16;
    const int total = (blockDim.x / 128) * kDepth * 64 * 16 + kDepth * N * 16;
    for (int i = threadIdx.x; i < total; i += blockDim.x) {
        shared[i] = static_cast<std::uint16_t>(0x3800u | ((i * 2654435761u >> 20) & 0x83ffu));
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    float c[N / 2] = {};
    std::uint32_t a[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
        a[i] = 0x38003800u | ((threadIdx.x * 2654435761u * (i + 1)) & 0x03ff03ffu);
    for (int iteration = 0; iteration < iterations; ++iteration) {
        cute::warpgroup_arrive();
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
            wgmma<N, kRegisters>(c, a, descriptor(a_tiles + k * 64 * 16, 128, 256),
                                 descriptor(b_tiles + k * N * 16, 128, 256), std::make_index_sequence<N / 2>{});
        }
        cute::warpgroup_commit_batch();
        cute::warpgroup_wait<0>();
    }
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < N / 2; ++i)
        sum += c[i];
    if (sum == kNever) sink[threadIdx.x] = sum;
#endif
}

template <int N, bool kRegisters>
ProbeWork run_wgmma(int warpgroups, int blocks, int iterations, float* sink, cudaStream_t stream) {
    const int shared_bytes = 2 * kDepth * 16 * (warpgroups * 64 + N);
    LOSSMAP_CUDA(
        cudaFuncSetAttribute(wgmma_kernel<N, kRegisters>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
    wgmma_kernel<N, kRegisters><<<blocks, warpgroups * 128, shared_bytes, stream>>>(iterations, sink);
    LOSSMAP_CUDA_LAUNCHED("wgmma_kernel");
    return {64.0 * N * 16 * kDepth * warpgroups * blocks * iterations, 0.0};
}

}  // namespace

ProbeWork launch_ffma(int blocks, int iterations, float* sink, cudaStream_t stream) {
    ffma_kernel<<<blocks, kThreads, 0, stream>>>(iterations, sink);
    LOSSMAP_CUDA_LAUNCHED("ffma_kernel");
    return {static_cast<double>(kChains) * kThreads * blocks * iterations, 0.0};
}

ProbeWork launch_mma_fp16(int blocks, int iterations, float* sink, cudaStream_t stream) {
    mma_kernel<false><<<blocks, kThreads, 0, stream>>>(iterations, sink);
    LOSSMAP_CUDA_LAUNCHED("mma_kernel fp16");
    return {16.0 * 8 * 16 * kTiles * (kThreads / 32) * blocks * iterations, 0.0};
}

void launch_mma_sum(float start, int terms, std::uint16_t left, std::uint16_t right, float* result,
                    cudaStream_t stream) {
    mma_sum_kernel<<<1, 32, 0, stream>>>(start, terms, left, right, result);
    LOSSMAP_CUDA_LAUNCHED("mma_sum_kernel");
}

ProbeWork launch_mma_tf32(int blocks, int iterations, float* sink, cudaStream_t stream) {
    mma_kernel<true><<<blocks, kThreads, 0, stream>>>(iterations, sink);
    LOSSMAP_CUDA_LAUNCHED("mma_kernel tf32");
    return {16.0 * 8 * 8 * kTiles * (kThreads / 32) * blocks * iterations, 0.0};
}

ProbeWork launch_wgmma(int n, WgmmaSource source, int warpgroups, int blocks, int iterations, float* sink,
                       cudaStream_t stream) {
    int device = 0;
    int major = 0;
    LOSSMAP_CUDA(cudaGetDevice(&device));
    LOSSMAP_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    if (major != 9) return {};
    const bool registers = source == WgmmaSource::registers;
    switch (n) {
        case 16:
            return registers ? run_wgmma<16, true>(warpgroups, blocks, iterations, sink, stream)
                             : run_wgmma<16, false>(warpgroups, blocks, iterations, sink, stream);
        case 48:
            return registers ? run_wgmma<48, true>(warpgroups, blocks, iterations, sink, stream)
                             : run_wgmma<48, false>(warpgroups, blocks, iterations, sink, stream);
        case 96:
            return registers ? run_wgmma<96, true>(warpgroups, blocks, iterations, sink, stream)
                             : run_wgmma<96, false>(warpgroups, blocks, iterations, sink, stream);
        case 192:
            return registers ? run_wgmma<192, true>(warpgroups, blocks, iterations, sink, stream)
                             : run_wgmma<192, false>(warpgroups, blocks, iterations, sink, stream);
        default: cuda::refuse_launch("no wgmma probe for this N", n);
    }
}

}  // namespace lossmap::bench
