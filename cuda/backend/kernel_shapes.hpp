#pragma once

#include <vector>

#include "core/shape.hpp"
#include "kernels/operand.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/window.hpp"

/// Shapes and strides as kernels take them.
namespace lossmap::cuda {

/// Throws UnsupportedError beyond the dimensions that kernels handle.
[[nodiscard]] kernels::Dims dims_of(const Shape& shape);
[[nodiscard]] kernels::Strides strides_of(const Shape& strides);

/// Dimensions from the outermost to the innermost one in memory.
[[nodiscard]] std::vector<std::size_t> storage_order(const Shape& shape, const Shape& strides);
/// Entries of `values` in that order.
[[nodiscard]] Shape in_order(const Shape& values, const std::vector<std::size_t>& order);

/// A shape read as [outer, count, inner] around one dimension.
struct AxisSplit {
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
};
[[nodiscard]] AxisSplit split_at(const Shape& shape, std::size_t axis);

}  // namespace lossmap::cuda
