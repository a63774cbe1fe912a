#pragma once

#include <cstdint>

#include "core/host_device.hpp"

/// Shared memory as `wgmma` sees it. Plain arithmetic, tested on the host.
namespace lossmap::kernels {

/// A K-major operand without swizzle (PTX ISA, "Strides" and "Matrix descriptor format" of wgmma): matrices of 8 rows
/// by 8 f16, 128 bytes each, `leading` bytes from one to the next along K, `stride` bytes along M or N.
struct MatrixLayout {
    int start = 0;  ///< byte of the first element
    int leading = 0;
    int stride = 0;

    /// Byte of an element; `row` counts along M or N.
    [[nodiscard]] LOSSMAP_HD constexpr int offset(int row, int k) const {
        return start + row / 8 * stride + row % 8 * 16 + k / 8 * leading + k % 8 * 2;
    }
};

/// The 64 bits that `wgmma` takes for an operand. Where it starts is an addition away from where another one does:
/// nothing is masked or packed again between products.
struct MatrixDescriptor {
    std::uint32_t low = 0;
    std::uint32_t high = 0;

    /// @param base  address, a multiple of 16, of what the layout's start counts from
    [[nodiscard]] LOSSMAP_HD static constexpr MatrixDescriptor of(const MatrixLayout& layout, std::uint32_t base) {
        return {field(static_cast<std::uint32_t>(layout.start) + base) |
                    field(static_cast<std::uint32_t>(layout.leading)) << 16,
                field(static_cast<std::uint32_t>(layout.stride))};
    }
    /// The same so many bytes further, a multiple of 16.
    [[nodiscard]] LOSSMAP_HD constexpr MatrixDescriptor moved(int bytes) const {
        return {low + static_cast<std::uint32_t>(bytes / 16), high};
    }
    [[nodiscard]] LOSSMAP_HD constexpr std::uint64_t bits() const {
        return static_cast<std::uint64_t>(high) << 32 | low;
    }
    [[nodiscard]] LOSSMAP_HD constexpr MatrixLayout layout() const {
        const auto bytes = [](std::uint32_t bits) { return static_cast<int>(bits & 0x3fff) << 4; };
        return {bytes(low), bytes(low >> 16), bytes(high)};
    }

private:
    [[nodiscard]] LOSSMAP_HD static constexpr std::uint32_t field(std::uint32_t bytes) {
        return (bytes & 0x3ffff) >> 4;
    }
};

/// Which element of [64, N] sums a thread of the warpgroup holds (PTX ISA, "Register fragments for wgmma.m64nNk16").
struct GroupSumPlace {
    int row;
    int column;
};
LOSSMAP_HD constexpr GroupSumPlace group_sum_place(int thread, int index) {
    return {thread / 32 * 16 + thread % 32 / 4 + index / 2 % 2 * 8, index / 4 * 8 + thread % 4 * 2 + index % 2};
}

}  // namespace lossmap::kernels
