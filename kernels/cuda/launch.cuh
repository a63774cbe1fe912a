#pragma once

#include <cstdint>

#include "cuda/runtime/check.hpp"
#include "kernels/cuda/device_warp.cuh"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

inline constexpr int kItemThreads = 256;
// The grid's second dimension is limited to 65535; bodies loop over what is beyond.
inline constexpr std::int64_t kMaxGridPoints = 65535;
inline constexpr std::int64_t kMaxGridBlocks = 0x7fffffff;

/// Blocks a multiprocessor that ptxas must leave registers for. A body bound by memory asks for enough loads in flight;
/// one is what the others ask: without any bound ptxas spills a register here and there for an occupancy they do not
/// need.
template <typename Body>
constexpr int min_blocks() {
    if constexpr (requires { Body::kMinBlocks; })
        return Body::kMinBlocks;
    else
        return 1;
}

template <typename Body>
__global__ void __launch_bounds__(kItemThreads, min_blocks<Body>())
    run_items(const __grid_constant__ Body body, std::int64_t points, std::int64_t count) {
    const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kItemThreads;
    for (std::int64_t point = blockIdx.y; point < points; point += gridDim.y) {
        for (std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kItemThreads + threadIdx.x; index < count;
             index += step) {
            body(point, index);
        }
    }
}

template <typename Body>
__global__ void __launch_bounds__(Body::kThreads, min_blocks<Body>())
    run_blocks(const __grid_constant__ Body body, std::int64_t points, std::int64_t count) {
    __shared__ typename Body::Shared shared;
    for (std::int64_t point = blockIdx.y; point < points; point += gridDim.y) {
        for (std::int64_t block = blockIdx.x; block < count; block += gridDim.x) {
            typename Body::Thread state{};
            const int phases = body.phases();
            for (int phase = 0; phase < phases; ++phase) {
                body.phase(phase, point, block, static_cast<int>(threadIdx.x), shared, state);
                __syncthreads();
            }
        }
    }
}

/// As many blocks as the device holds at once, each with one item after the other.
template <typename Body>
__global__ void __launch_bounds__(Body::kThreads, min_blocks<Body>())
    run_warps(const __grid_constant__ Body body, std::int64_t items) {
    extern __shared__ __align__(128) unsigned char dynamic_shared[];
    DeviceBlock<Body, DeviceWarp> block(dynamic_shared);
    for (std::int64_t item = blockIdx.x; item < items; item += gridDim.x)
        body.run(block, item);
}

/// As many blocks as the device holds at once, at most `items`, with so many bytes of shared memory each.
template <typename Kernel>
unsigned resident_blocks(Kernel kernel, int threads, int shared_bytes, std::int64_t items) {
    int device = 0, multiprocessors = 0, blocks = 0;
    LOSSMAP_CUDA(cudaGetDevice(&device));
    LOSSMAP_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
    LOSSMAP_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
    LOSSMAP_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, shared_bytes));
    const std::int64_t resident = static_cast<std::int64_t>(multiprocessors) * blocks;
    return static_cast<unsigned>(items < resident ? items : resident);
}

/// Launches bodies on a stream; see HostLaunch for their meaning. Checks the launch, does not synchronise.
class CudaLaunch {
public:
    explicit CudaLaunch(Queue queue) : stream_(static_cast<cudaStream_t>(queue.stream)) {}

    template <typename Body>
    void items(std::int64_t points, std::int64_t count, const Body& body) const {
        if (points <= 0 || count <= 0) return;
        const dim3 grid = grid_of(points, (count + kItemThreads - 1) / kItemThreads);
        run_items<<<grid, kItemThreads, 0, stream_>>>(body, points, count);
        LOSSMAP_CUDA_LAUNCHED("run_items");
    }

    template <typename Body>
    void blocks(std::int64_t points, std::int64_t count, const Body& body) const {
        if (points <= 0 || count <= 0) return;
        run_blocks<<<grid_of(points, count), Body::kThreads, 0, stream_>>>(body, points, count);
        LOSSMAP_CUDA_LAUNCHED("run_blocks");
    }

    template <typename Body>
    void warps(std::int64_t items, const Body& body) const {
        if (items <= 0) return;
        const unsigned grid = resident_blocks(run_warps<Body>, Body::kThreads, Body::kSharedBytes, items);
        run_warps<<<grid, Body::kThreads, Body::kSharedBytes, stream_>>>(body, items);
        LOSSMAP_CUDA_LAUNCHED("run_warps");
    }

private:
    static dim3 grid_of(std::int64_t points, std::int64_t blocks) {
        return dim3(static_cast<unsigned>(blocks < kMaxGridBlocks ? blocks : kMaxGridBlocks),
                    static_cast<unsigned>(points < kMaxGridPoints ? points : kMaxGridPoints));
    }

    cudaStream_t stream_;
};

}  // namespace lossmap::kernels

/// Defines the CUDA table's entry for launch_<name>.
#define LOSSMAP_CUDA_KERNEL(name, Args)                                                         \
    namespace lossmap::kernels {                                                                \
    void cuda_##name(const Args& args, Queue queue) { launch_##name(args, CudaLaunch(queue)); } \
    }
