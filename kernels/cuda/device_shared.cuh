#pragma once

#include <cstdint>

/// What warps and warpgroups of the stage kernels have in common, as instructions (sm_80 and newer). What each
/// operation means is told, and tested, by HostShared and what is made of it.
namespace lossmap::kernels {

/// A block's shared memory, by byte offsets.
class DeviceShared {
public:
    /// Those of one thread; every thread's code asks for its own.
    template <typename T, int N>
    struct Registers {
        T values[N];
        __device__ T& at(int, int k) { return values[k]; }
        __device__ const T& at(int, int k) const { return values[k]; }
    };

    __device__ explicit DeviceShared(unsigned char* shared)
        : shared_(shared), base_(static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))) {}

    __device__ std::uint32_t load(int offset) const {
        return *reinterpret_cast<const std::uint32_t*>(shared_ + offset);
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

protected:
    unsigned char* shared_;
    std::uint32_t base_;
};

/// A block whose warps or warpgroups (`Team`) pass a barrier behind each phase.
template <typename Body, typename Team>
class DeviceBlock {
public:
    __device__ explicit DeviceBlock(unsigned char* shared) : team_(shared) {}

    template <typename Work>
    __device__ void phase(const Work& work) {
        work(team_, state_);
        __syncthreads();
    }

private:
    Team team_;
    typename Body::template State<Team> state_;
};

}  // namespace lossmap::kernels
