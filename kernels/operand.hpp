#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "core/host_device.hpp"

/// Operations on device memory, one a header: its arguments, its body for one element or block as `__host__ __device__`
/// code, and `launch_<name>`, which chooses the variant. kernel_table.hpp lists them. Everything here compiles with a
/// plain C++ compiler.
///
/// Common to all: a launch covers `points` settings of the parameters; an operand holds one array a point,
/// `point_stride` elements apart, or, with a stride of 0, one array for all. Arithmetic is fp32 (fp64 where sums need
/// it), whatever the storage type. Outputs do not alias inputs unless an operation says so. Nothing synchronises;
/// reductions run in a fixed order, so the same launch gives the same bits.
namespace lossmap::kernels {

/// Dimensions that a strided operation handles.
inline constexpr int kMaxRank = 8;

/// Where work is queued: a cudaStream_t for the CUDA table, ignored by the host table, which runs at once.
struct Queue {
    void* stream = nullptr;
};

/// An array that a kernel reads. Floating-point operands: f32, f16 or bf16.
struct Input {
    const void* data = nullptr;  ///< null: absent, where an operation allows that
    DType type = DType::f32;
    std::int64_t point_stride = 0;  ///< in elements; 0: the same for all points
};

/// An array that a kernel writes.
struct Output {
    void* data = nullptr;
    DType type = DType::f32;
    std::int64_t point_stride = 0;
};

/// Flags of values that a 16-bit type cannot hold: a kernel that stores f16 sets one when a value is beyond 65504 in
/// magnitude or not finite before its activation (-inf in front of a ReLU would become a silent 0). One flag a point
/// and sample, and one more a point, [points, samples + 1], for values that belong to no single sample. The caller
/// clears them.
struct OverflowFlags {
    std::uint32_t* data = nullptr;  ///< null: nothing is flagged
    std::int64_t samples = 0;
    std::int64_t elements_per_sample = 0;  ///< of the output, samples outermost; 0: flag the last slot
};

/// What a kernel found wrong with its data, or-ed into one word that the caller clears and reads.
enum Fault : std::uint32_t {
    kFaultIndex = 1,     ///< an index outside its dimension (the element is left as 0)
    kFaultLabel = 2,     ///< a target that is no class
    kFaultDivision = 4,  ///< an integer divided by zero (the result is 0)
};

/// Throws InternalError: an operation was asked for what it does not do, a defect of the caller.
[[noreturn]] void refuse(const char* kernel, const char* reason, long long value);

/// Sets bits of a word that many threads share.
LOSSMAP_HD inline void set_bits(std::uint32_t* word, std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
    atomicOr(word, bits);
#else
    *word |= bits;
#endif
}

LOSSMAP_HD inline void raise_fault(std::uint32_t* faults, Fault fault) {
    if (faults != nullptr) set_bits(faults, fault);
}

/// Flags `value` (about to be stored as `type`) when it overflows. `index`: of the element within its point.
LOSSMAP_HD inline void flag_overflow(const OverflowFlags& flags, DType type, std::int64_t point, std::int64_t index,
                                     float value) {
    if (flags.data == nullptr || type != DType::f16) return;
    // Written so that NaN is flagged.
    if (value >= -65504.0F && value <= 65504.0F) return;
    const std::int64_t sample = flags.elements_per_sample > 0 ? index / flags.elements_per_sample : flags.samples;
    set_bits(flags.data + point * (flags.samples + 1) + sample, 1);
}

/// flag_overflow for N consecutive elements from `index` on; a pack may reach over two samples.
template <int N>
LOSSMAP_HD inline void flag_pack(const OverflowFlags& flags, DType type, std::int64_t point, std::int64_t index,
                                 const float (&values)[N]) {
    if (flags.data == nullptr || type != DType::f16) return;
    LOSSMAP_UNROLL
    for (int k = 0; k < N; ++k)
        flag_overflow(flags, type, point, index + k, values[k]);
}

}  // namespace lossmap::kernels
