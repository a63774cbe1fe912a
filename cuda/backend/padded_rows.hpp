#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/tensor.hpp"

namespace lossmap::cuda {

/// Rows of a host array as the device reads them: tokens narrowed to i32, the last row repeated as often as need be.
struct PaddedRows {
    const Tensor& source;  ///< [rows of the chunk, ..]
    std::int64_t first = 0;
    std::int64_t rows = 0;      ///< from `first` on; at least one
    std::int64_t elements = 0;  ///< of a row
    DType type = DType::f32;    ///< as the device reads them: the source's, or i32 of i64

    [[nodiscard]] std::size_t row_bytes() const { return static_cast<std::size_t>(elements) * size_of(type); }
    /// Bytes from `offset` on of the rows laid one after the other. Both ends at multiples of an element; rows may be
    /// cut.
    void copy(std::size_t offset, std::span<std::byte> out) const;
};

}  // namespace lossmap::cuda
