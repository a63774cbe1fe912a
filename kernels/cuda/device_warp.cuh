#pragma once

#include <cstdint>

/// The warp that kernels/stage.hpp is written for, as instructions: ldmatrix, mma.sync, cp.async (sm_80 and newer).
/// What each operation means is told, and tested, by HostWarp.
namespace lossmap::kernels {

class DeviceWarp {
public:
    /// Those of one lane; every lane's code asks for its own.
    template <typename T, int N>
    struct Registers {
        T values[N];
        __device__ T& at(int, int k) { return values[k]; }
        __device__ const T& at(int, int k) const { return values[k]; }
    };

    __device__ explicit DeviceWarp(unsigned char* shared)
        : index(static_cast<int>(threadIdx.x) / 32),
          lane_(static_cast<int>(threadIdx.x) % 32),
          shared_(shared),
          base_(static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))) {}

    const int index;

    template <typename Visit>
    __device__ void each_lane(const Visit& visit) const {
        visit(lane_);
    }

    __device__ std::uint32_t load(int offset) const {
        return *reinterpret_cast<const std::uint32_t*>(shared_ + offset);
    }
    __device__ void store(int offset, std::uint32_t value) const {
        *reinterpret_cast<std::uint32_t*>(shared_ + offset) = value;
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
    /// Cycles, of a clock of the multiprocessor's.
    __device__ static std::uint32_t now() { return static_cast<std::uint32_t>(clock()); }
    __device__ static void wait_until(std::uint32_t time) {
        while (static_cast<std::int32_t>(now() - time) < 0) {
        }
    }
    __device__ void wait_for_copies() const { asm volatile("cp.async.wait_all;" ::: "memory"); }

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
    unsigned char* shared_;
    std::uint32_t base_;
};

/// A block whose warps pass a barrier behind each phase.
template <typename Body>
class DeviceBlock {
public:
    __device__ explicit DeviceBlock(unsigned char* shared) : warp_(shared) {}

    template <typename Work>
    __device__ void phase(const Work& work) {
        work(warp_, state_);
        __syncthreads();
    }

private:
    DeviceWarp warp_;
    typename Body::template State<DeviceWarp> state_;
};

}  // namespace lossmap::kernels
