#include "bench/gpu/device_warpgroup.cuh"
#include "bench/gpu/wgmma_launch.hpp"
#include "cuda/runtime/check.hpp"

namespace lossmap::bench {
namespace {

/// As many blocks as the device holds at once, each with one tile after the other.
template <typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    run_wgmma_layers(const __grid_constant__ WgmmaLayers<Shape> layers, std::int64_t tiles) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    extern __shared__ __align__(128) unsigned char shared[];
    DeviceWarpgroupBlock block(shared);
    for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x)
        layers.run(block, tile);
#endif
}

}  // namespace

bool has_wgmma() {
    int device = 0, major = 0;
    LOSSMAP_CUDA(cudaGetDevice(&device));
    LOSSMAP_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    return major == 9;
}

template <typename Shape>
void launch_wgmma_layers(const WgmmaArgs& args, int multiprocessors, cudaStream_t stream) {
    const std::int64_t tiles = (args.samples + Shape::kImages - 1) / Shape::kImages;
    LOSSMAP_CUDA(cudaFuncSetAttribute(run_wgmma_layers<Shape>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      Shape::kSharedBytes));
    const auto grid = static_cast<unsigned>(tiles < multiprocessors ? tiles : multiprocessors);
    run_wgmma_layers<Shape><<<grid, Shape::kThreads, Shape::kSharedBytes, stream>>>({args}, tiles);
    LOSSMAP_CUDA_LAUNCHED("run_wgmma_layers");
}

#define LOSSMAP_INSTANTIATE(...) \
    template void launch_wgmma_layers<WgmmaShape<__VA_ARGS__>>(const WgmmaArgs&, int, cudaStream_t);
LOSSMAP_INSTANTIATE(16, 32, 2, 2)
LOSSMAP_INSTANTIATE(16, 32, 4, 2)
LOSSMAP_INSTANTIATE(32, 16, 2, 2)
LOSSMAP_INSTANTIATE(32, 16, 4, 2)
LOSSMAP_INSTANTIATE(64, 8, 2, 1)
#undef LOSSMAP_INSTANTIATE

}  // namespace lossmap::bench
