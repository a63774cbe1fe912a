#pragma once

#define CUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED  // N = 48
#include <cstdint>
#include <cute/arch/mma_sm90_gmma.hpp>
#include <utility>

#include "bench/gpu/wgmma_shape.hpp"

/// The warpgroup that bench/gpu/wgmma_layers.hpp is written for, as instructions (sm_90a). What each operation means is
/// told, and tested, by HostWarpgroup.
namespace lossmap::bench {

template <int N>
struct WgmmaInstruction;
#define LOSSMAP_WGMMA(n)       \
    template <>                \
    struct WgmmaInstruction<n> \
        : cute::SM90::GMMA::MMA_64x##n##x16_F32F16F16_SS<cute::SM90::GMMA::Major::K, cute::SM90::GMMA::Major::K> {};
LOSSMAP_WGMMA(16)
LOSSMAP_WGMMA(32)
LOSSMAP_WGMMA(48)
LOSSMAP_WGMMA(64)
LOSSMAP_WGMMA(96)
LOSSMAP_WGMMA(192)
#undef LOSSMAP_WGMMA

class DeviceWarpgroup {
public:
    /// Those of one thread; every thread's code asks for its own.
    template <typename T, int N>
    struct Registers {
        T values[N];
        __device__ T& at(int, int k) { return values[k]; }
        __device__ const T& at(int, int k) const { return values[k]; }
    };

    __device__ explicit DeviceWarpgroup(unsigned char* shared)
        : index(static_cast<int>(threadIdx.x) / 128),
          thread_(static_cast<int>(threadIdx.x) % 128),
          shared_(shared),
          base_(static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))) {}

    const int index;

    template <typename Visit>
    __device__ void each_thread(const Visit& visit) const {
        visit(thread_);
    }

    __device__ void store(int offset, std::uint32_t value) const {
        *reinterpret_cast<std::uint32_t*>(shared_ + offset) = value;
    }
    __device__ void clear_pack(int offset) const {
        *reinterpret_cast<uint4*>(shared_ + offset) = make_uint4(0, 0, 0, 0);
    }
    __device__ void copy_out(void* target, int offset) const {
        *static_cast<uint4*>(target) = *reinterpret_cast<const uint4*>(shared_ + offset);
    }
    __device__ void copy_in(int offset, const void* source, bool real) const {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(base_ + offset), "l"(source),
                     "r"(real ? 16 : 0)
                     : "memory");
    }
    __device__ void wait_for_copies() const { asm volatile("cp.async.wait_all;" ::: "memory"); }
    __device__ void publish() const { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

    __device__ void begin() const { cute::warpgroup_arrive(); }
    template <int S>
    __device__ void multiply(Registers<float, S>& sums, const MatrixLayout& a, const MatrixLayout& b, bool add) const {
        call(sums, a.descriptor(base_), b.descriptor(base_), add, std::make_index_sequence<S>{});
    }
    template <int S>
    __device__ void finish(Registers<float, S>& sums) const {
        cute::warpgroup_commit_batch();
        cute::warpgroup_wait<0>();
#pragma unroll
        for (int k = 0; k < S; ++k)
            cute::warpgroup_fence_operand(sums.values[k]);
    }

private:
    template <int S, std::size_t... I>
    __device__ static void call(Registers<float, S>& sums, std::uint64_t a, std::uint64_t b, bool add,
                                std::index_sequence<I...>) {
        WgmmaInstruction<2 * S>::fma(a, b, sums.values[I]...,
                                     add ? cute::SM90::GMMA::ScaleOut::One : cute::SM90::GMMA::ScaleOut::Zero);
    }

    int thread_;
    unsigned char* shared_;
    std::uint32_t base_;
};

/// A block whose warpgroups pass a barrier behind each phase.
class DeviceWarpgroupBlock {
public:
    __device__ explicit DeviceWarpgroupBlock(unsigned char* shared) : group_(shared) {}

    template <typename Work>
    __device__ void phase(const Work& work) {
        work(group_);
        __syncthreads();
    }

private:
    DeviceWarpgroup group_;
};

}  // namespace lossmap::bench
