#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/device_warpgroup.cuh"
#include "kernels/cuda/launch.cuh"

namespace lossmap::kernels {

/// As many blocks as the device holds at once, each with one item after the other.
template <typename Body>
__global__ void __launch_bounds__(Body::kThreads, 1)
    run_warpgroups(const __grid_constant__ Body body, std::int64_t items) {
    extern __shared__ __align__(128) unsigned char warpgroup_shared[];
    DeviceBlock<Body, DeviceWarpgroup> block(warpgroup_shared);
    body.run(block, blockIdx.x, gridDim.x, items);
}

class WarpgroupLaunch {
public:
    explicit WarpgroupLaunch(Queue queue) : stream_(static_cast<cudaStream_t>(queue.stream)) {}

    template <typename Body>
    void warpgroups(std::int64_t items, const Body& body) const {
        if (items <= 0) return;
        unsigned grid = resident_blocks(run_warpgroups<Body>, Body::kThreads, Body::kSharedBytes, items);
        if (body.args.max_blocks > 0) grid = std::min(grid, static_cast<unsigned>(body.args.max_blocks));
        run_warpgroups<<<grid, Body::kThreads, Body::kSharedBytes, stream_>>>(body, items);
        LOSSMAP_CUDA_LAUNCHED("run_warpgroups");
    }

private:
    cudaStream_t stream_;
};

}  // namespace lossmap::kernels

/// Defines the CUDA table's entry for launch_<name>, with a launch of warpgroups.
#define LOSSMAP_WARPGROUP_KERNEL(name)                                                                    \
    namespace lossmap::kernels {                                                                          \
    void cuda_##name(const StageArgs& args, Queue queue) { launch_##name(args, WarpgroupLaunch(queue)); } \
    }
