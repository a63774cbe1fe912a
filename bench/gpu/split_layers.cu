#include "bench/gpu/split_launch.hpp"
#include "kernels/cuda/launch.cuh"

namespace lossmap::bench {

template <typename Shape>
void launch_split_layers(const SplitArgs& args, cudaStream_t stream) {
    const std::int64_t tiles = (args.samples + Shape::kImages - 1) / Shape::kImages;
    kernels::CudaLaunch({stream}).warps(tiles, SplitLayers<Shape>{args});
}

#define LOSSMAP_INSTANTIATE(...) \
    template void launch_split_layers<SplitShape<__VA_ARGS__>>(const SplitArgs&, cudaStream_t);
LOSSMAP_INSTANTIATE(16, 32, 1, 4, 8, 2)
LOSSMAP_INSTANTIATE(32, 16, 2, 2, 8, 1)
LOSSMAP_INSTANTIATE(64, 8, 2, 1, 8, 1)
#undef LOSSMAP_INSTANTIATE

}  // namespace lossmap::bench
