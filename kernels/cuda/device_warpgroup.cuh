#pragma once

#define CUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED  // N = 48
#include <cstdint>
#include <cute/arch/mma_sm90_gmma.hpp>
#include <utility>

#include "kernels/cuda/device_shared.cuh"
#include "kernels/matrix_layout.hpp"

/// The warpgroup that kernels/warpgroup_stage.hpp is written for, as instructions (sm_90a). What each operation means
/// is told, and tested, by HostWarpgroup.
namespace lossmap::kernels {

/// m64nNk16: both operands from shared memory, or the left one from registers.
template <int N>
struct WgmmaInstruction;
template <int N>
struct WgmmaFromRegisters;
#define LOSSMAP_WGMMA(Name, kind, n)                                                                                   \
    template <>                                                                                                        \
    struct Name<n>                                                                                                     \
        : cute::SM90::GMMA::MMA_64x##n##x16_F32F16F16_##kind<cute::SM90::GMMA::Major::K, cute::SM90::GMMA::Major::K> { \
    };
LOSSMAP_WGMMA(WgmmaInstruction, SS, 16)
LOSSMAP_WGMMA(WgmmaInstruction, SS, 32)
LOSSMAP_WGMMA(WgmmaInstruction, SS, 48)
LOSSMAP_WGMMA(WgmmaInstruction, SS, 64)
LOSSMAP_WGMMA(WgmmaInstruction, SS, 96)
LOSSMAP_WGMMA(WgmmaInstruction, SS, 192)
LOSSMAP_WGMMA(WgmmaFromRegisters, RS, 16)
LOSSMAP_WGMMA(WgmmaFromRegisters, RS, 32)
#undef LOSSMAP_WGMMA

class DeviceWarpgroup : public DeviceShared {
public:
    __device__ explicit DeviceWarpgroup(unsigned char* shared)
        : DeviceShared(shared),
          // The same in all lanes and, as that instruction's result is a uniform register (a shuffle's is not), known
          // to be: so are descriptors made of it, which otherwise pass through other registers for each product.
          index(__reduce_max_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 128)),
          thread_(static_cast<int>(threadIdx.x) % 128) {}

    const int index;

    template <typename Visit>
    __device__ void each_thread(const Visit& visit) const {
        visit(thread_);
    }

    /// The same number, of which nothing is known: what is computed from it is computed there, not earlier and kept in
    /// registers.
    __device__ static int settled(int value) {
        asm volatile("" : "+r"(value));
        return value;
    }

    /// 0, once `value` has been computed: in that order, so that the two can have one register.
    __device__ float zero_behind(float value) const { return __uint_as_float(__float_as_uint(value) & zero_); }

    __device__ void prefetch(const void* source, int bytes) const {
        if (threadIdx.x == 0)
            asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(__cvta_generic_to_global(source)),
                         "r"(bytes)
                         : "memory");
    }
    __device__ void store_pack(int offset, const std::uint32_t (&words)[4]) const {
        *reinterpret_cast<uint4*>(shared_ + offset) = make_uint4(words[0], words[1], words[2], words[3]);
    }
    __device__ void load_pack(std::uint32_t (&words)[4], int offset) const {
        const uint4 pack = *reinterpret_cast<const uint4*>(shared_ + offset);
        words[0] = pack.x;
        words[1] = pack.y;
        words[2] = pack.z;
        words[3] = pack.w;
    }
    /// One access a warp, with the largest of its numbers.
    __device__ void raise(int offset, const Registers<std::uint32_t, 1>& numbers) const {
        const std::uint32_t largest = __reduce_max_sync(0xffffffffu, numbers.values[0]);
        if (thread_ % 32 == 0) atomicMax(reinterpret_cast<unsigned*>(shared_ + offset), largest);
    }
    __device__ void publish() const { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

    template <int N>
    __device__ void load_matrices(Registers<std::uint32_t, N>& to, int first, const Registers<int, 1>& rows,
                                  int offset) const {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to.values[first]), "=r"(to.values[first + 1]), "=r"(to.values[first + 2]),
                       "=r"(to.values[first + 3])
                     : "r"(base_ + rows.values[0] + offset)
                     : "memory");
    }
    template <int N>
    __device__ void store_matrices(const Registers<std::uint32_t, N>& from, int first, const Registers<int, 1>& rows,
                                   int offset) const {
        asm volatile(
            "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(base_ + rows.values[0] + offset),
            "r"(from.values[first]), "r"(from.values[first + 1]), "r"(from.values[first + 2]),
            "r"(from.values[first + 3])
            : "memory");
    }

    /// Settled, too: all descriptors of a kernel at once are more than there are uniform registers.
    __device__ MatrixDescriptor operand(const MatrixLayout& layout) const {
        MatrixDescriptor descriptor = MatrixDescriptor::of(layout, base_);
        asm volatile("" : "+r"(descriptor.low));
        return descriptor;
    }
    __device__ void begin() const { cute::warpgroup_arrive(); }
    __device__ void commit() const { cute::warpgroup_commit_batch(); }
    template <int S>
    __device__ void multiply(Registers<float, S>& sums, const MatrixDescriptor& a, const MatrixDescriptor& b,
                             bool add) const {
        call(sums, a.bits(), b.bits(), add, std::make_index_sequence<S>{});
    }
    template <int S, int N>
    __device__ void multiply(Registers<float, S>& sums, const Registers<std::uint32_t, N>& pixels, int first,
                             const MatrixDescriptor& b, bool add) const {
        call(sums, &pixels.values[first], b.bits(), add, std::make_index_sequence<S>{});
    }
    template <int kBatches, int... S>
    __device__ void finish(Registers<float, S>&... sums) const {
        cute::warpgroup_wait<kBatches>();
        (fence(sums), ...);
    }

    template <int kBatches>
    __device__ void wait_for_all_but() const {
        cute::warpgroup_wait<kBatches>();
    }

private:
    __device__ static constexpr cute::SM90::GMMA::ScaleOut scale(bool add) {
        return add ? cute::SM90::GMMA::ScaleOut::One : cute::SM90::GMMA::ScaleOut::Zero;
    }
    template <int S>
    __device__ static void fence(Registers<float, S>& sums) {
#pragma unroll
        for (int k = 0; k < S; ++k)
            cute::warpgroup_fence_operand(sums.values[k]);
    }
    template <int S, std::size_t... I>
    __device__ static void call(Registers<float, S>& sums, std::uint64_t a, std::uint64_t b, bool add,
                                std::index_sequence<I...>) {
        WgmmaInstruction<2 * S>::fma(a, b, sums.values[I]..., scale(add));
    }
    template <int S, std::size_t... I>
    __device__ static void call(Registers<float, S>& sums, const std::uint32_t* a, std::uint64_t b, bool add,
                                std::index_sequence<I...>) {
        WgmmaFromRegisters<2 * S>::fma(a[0], a[1], a[2], a[3], b, sums.values[I]..., scale(add));
    }

    int thread_;
    /// 0, which the assembler does not know: of a constant it makes two instructions for each register.
    std::uint32_t zero_ = static_cast<std::uint32_t>(index) >> 8;
};

}  // namespace lossmap::kernels
