#pragma once

#include <cstdint>

#include "kernels/cuda/device_shared.cuh"

/// The warp that kernels/stage.hpp is written for, as instructions: ldmatrix, mma.sync, cp.async (sm_80 and newer).
/// What each operation means is told, and tested, by HostWarp.
namespace lossmap::kernels {

class DeviceWarp : public DeviceShared {
public:
    __device__ explicit DeviceWarp(unsigned char* shared)
        : DeviceShared(shared), index(static_cast<int>(threadIdx.x) / 32), lane_(static_cast<int>(threadIdx.x) % 32) {}

    const int index;

    template <typename Visit>
    __device__ void each_lane(const Visit& visit) const {
        visit(lane_);
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
    template <int N>
    __device__ static std::uint32_t largest(const Registers<std::uint32_t, N>& numbers, int place) {
        return __reduce_max_sync(0xffffffffu, numbers.values[place]);
    }
    __device__ void raise(int offset, std::uint32_t value) const {
        if (lane_ == 0) atomicMax(reinterpret_cast<unsigned*>(shared_ + offset), value);
    }
    /// Cycles, of a clock of the multiprocessor's.
    __device__ static std::uint32_t now() { return static_cast<std::uint32_t>(clock()); }
    __device__ static void wait_until(std::uint32_t time) {
        while (static_cast<std::int32_t>(now() - time) < 0) {
        }
    }

    template <int N>
    __device__ void load_matrices(Registers<std::uint32_t, N>& to, int first, const Registers<int, 1>& rows,
                                  int offset) const {
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(to.values[first]), "=r"(to.values[first + 1]), "=r"(to.values[first + 2]),
                       "=r"(to.values[first + 3])
                     : "r"(base_ + rows.values[0] + offset));
    }

    template <int S, int N>
    __device__ static void multiply(Registers<float, S>& sums, int s, const Registers<std::uint32_t, 4>& a,
                                    const Registers<std::uint32_t, N>& b, int k) {
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
            "%2, %3};"
            : "+f"(sums.values[s]), "+f"(sums.values[s + 1]), "+f"(sums.values[s + 2]), "+f"(sums.values[s + 3])
            : "r"(a.values[0]), "r"(a.values[1]), "r"(a.values[2]), "r"(a.values[3]), "r"(b.values[k]),
              "r"(b.values[k + 1]));
    }

private:
    int lane_;
};

}  // namespace lossmap::kernels
