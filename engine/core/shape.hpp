#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lossmap {

/// Extents of a tensor, outermost first; empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the extents (1 for a scalar). Throws InputError on a negative extent or when the product does not fit.
[[nodiscard]] std::int64_t element_count(std::span<const std::int64_t> shape);

/// "[2, 3, 4]".
[[nodiscard]] std::string to_string(std::span<const std::int64_t> shape);

/// Row-major strides in elements.
[[nodiscard]] Shape row_major_strides(std::span<const std::int64_t> shape);

/// Maps a possibly negative axis into [0, rank). Throws InputError when it lies outside [-rank, rank).
[[nodiscard]] std::int64_t normalize_axis(std::int64_t axis, std::size_t rank);

/// NumPy broadcasting of two shapes. Throws InputError when they do not broadcast.
[[nodiscard]] Shape broadcast(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

}  // namespace lossmap
