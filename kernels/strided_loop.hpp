#pragma once

#include <cstdint>

#include "core/host_device.hpp"
#include "kernels/operand.hpp"

namespace lossmap::kernels {

/// Division of numbers below 2^31 by a constant through one multiplication (Granlund and Montgomery 1994, "Division by
/// invariant integers using multiplication"): integer division takes some twenty instructions on a GPU.
struct Divisor {
    std::uint32_t value = 1;
    std::uint32_t multiplier = 1;
    std::uint32_t shift = 0;

    Divisor() = default;
    /// @param divisor  1 .. 2^31 - 1
    explicit Divisor(std::uint32_t divisor) : value(divisor) {
        while ((std::uint64_t{1} << shift) < divisor)
            ++shift;
        multiplier = static_cast<std::uint32_t>(
            ((std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - divisor)) / divisor + 1);
    }
    /// n / value for n < 2^31.
    [[nodiscard]] LOSSMAP_HD std::uint32_t divide(std::uint32_t n) const {
        const auto high = static_cast<std::uint32_t>((static_cast<std::uint64_t>(n) * multiplier) >> 32);
        return (high + n) >> shift;
    }
};

/// High 64 bits of the product of two 64-bit numbers.
LOSSMAP_HD inline std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
    return __umul64hi(a, b);
#else
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
#endif
}

/// The same for numbers below 2^63. A 64-bit division is a function call on a GPU, around which registers spill.
struct WideDivisor {
    std::uint64_t multiplier = 1;
    std::uint32_t shift = 0;

    WideDivisor() = default;
    /// @param divisor  1 .. 2^63 - 1
    explicit WideDivisor(std::uint64_t divisor) {
        __extension__ using Wide = unsigned __int128;
        while ((std::uint64_t{1} << shift) < divisor)
            ++shift;
        multiplier = static_cast<std::uint64_t>(
            ((static_cast<Wide>(1) << 64) * ((std::uint64_t{1} << shift) - divisor)) / divisor + 1);
    }
    /// n / divisor for n < 2^63.
    [[nodiscard]] LOSSMAP_HD std::uint64_t divide(std::uint64_t n) const {
        return (multiply_high(n, multiplier) + n) >> shift;
    }
};

/// One extent of an index space, for taking flat indices apart.
struct FastExtent {
    std::int64_t extent = 1;
    bool narrow = true;  ///< the flat indices are below 2^31
    Divisor divisor;
    WideDivisor wide_divisor;

    FastExtent() = default;
    FastExtent(std::int64_t extent_in, bool narrow_in) : extent(extent_in), narrow(narrow_in) {
        if (extent <= 0) return;
        if (narrow)
            divisor = Divisor(static_cast<std::uint32_t>(extent));
        else
            wide_divisor = WideDivisor(static_cast<std::uint64_t>(extent));
    }
    /// Takes the innermost coordinate off `index`.
    [[nodiscard]] LOSSMAP_HD std::int64_t take(std::int64_t& index) const {
        const std::int64_t quotient =
            narrow ? static_cast<std::int64_t>(divisor.divide(static_cast<std::uint32_t>(index)))
                   : static_cast<std::int64_t>(wide_divisor.divide(static_cast<std::uint64_t>(index)));
        const std::int64_t rest = index - quotient * extent;
        index = quotient;
        return rest;
    }
};

/// Whether all flat indices of a space of `count` elements are below 2^31.
inline bool is_narrow(std::int64_t count) { return count < (std::int64_t{1} << 31); }

/// Extents of an array, row-major, the last dimension innermost; rank 0 is a scalar.
struct Dims {
    int rank = 0;
    std::int64_t extents[kMaxRank] = {};

    [[nodiscard]] LOSSMAP_HD std::int64_t count() const {
        std::int64_t product = 1;
        for (int axis = 0; axis < rank; ++axis)
            product *= extents[axis];
        return product;
    }
};

/// Steps in elements, one a dimension; 0 repeats, negative runs backwards.
struct Strides {
    std::int64_t values[kMaxRank] = {};
};

/// Row-major strides of `dims`.
inline Strides dense_strides(const Dims& dims) {
    Strides strides;
    std::int64_t step = 1;
    for (int axis = dims.rank; axis-- > 0;) {
        strides.values[axis] = step;
        step *= dims.extents[axis];
    }
    return strides;
}

/// A row-major index space with N operands of given strides; adjacent dimensions are merged where all operands allow,
/// dimensions of 1 dropped, so the number of divisions an element costs is the smallest possible.
template <int N>
struct StridedLoop {
    int rank = 0;
    FastExtent extents[kMaxRank];
    std::int64_t strides[N][kMaxRank] = {};

    StridedLoop() = default;
    StridedLoop(const Dims& dims, const Strides (&given)[N]) {
        const bool narrow = is_narrow(dims.count());
        for (int axis = 0; axis < dims.rank; ++axis) {
            if (dims.extents[axis] == 1) continue;
            bool joins = rank > 0;
            for (int k = 0; joins && k < N; ++k)
                joins = strides[k][rank - 1] == given[k].values[axis] * dims.extents[axis];
            const int at = joins ? rank - 1 : rank++;
            extents[at] = FastExtent(dims.extents[axis] * (joins ? extents[at].extent : 1), narrow);
            for (int k = 0; k < N; ++k)
                strides[k][at] = given[k].values[axis];
        }
    }

    [[nodiscard]] LOSSMAP_HD std::int64_t count() const {
        std::int64_t product = 1;
        for (int axis = 0; axis < rank; ++axis)
            product *= extents[axis].extent;
        return product;
    }

    /// Offset of element `index` in each operand.
    LOSSMAP_HD void offsets(std::int64_t index, std::int64_t (&result)[N]) const {
        for (int k = 0; k < N; ++k)
            result[k] = 0;
        for (int axis = rank - 1; axis > 0; --axis) {
            const std::int64_t at = extents[axis].take(index);
            for (int k = 0; k < N; ++k)
                result[k] += at * strides[k][axis];
        }
        // The outermost dimension needs no division: `index` is its coordinate (0 for a scalar).
        for (int k = 0; k < N && rank > 0; ++k)
            result[k] += index * strides[k][0];
    }

    /// Whether every operand is read one element after the other.
    [[nodiscard]] bool contiguous() const {
        for (int k = 0; k < N; ++k) {
            if (rank > 1 || (rank == 1 && strides[k][0] != 1)) return false;
        }
        return true;
    }
};

}  // namespace lossmap::kernels
