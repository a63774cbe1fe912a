#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// What an update does to the element it meets; updates of one element are applied in the order of the indices.
enum class ScatterRule : std::uint8_t { replace, add, multiply, maximum, minimum };

/// ScatterElements in place: `out` holds a copy of the data, `data_strides` row-major; updates and indices have the
/// shape `dims`, the index replaces the coordinate along `axis`.
struct ScatterElementsArgs {
    ScatterRule rule = ScatterRule::replace;
    Input indices;
    Input updates;
    Output out;
    std::int64_t points = 1;
    Dims dims;
    Strides data_strides;
    int axis = 0;
    std::int64_t extent = 1;
    std::uint32_t* faults = nullptr;
};

/// ScatterND in place: `out` holds a copy of the data [extents[0], .., extents[width - 1], block]; indices [count,
/// width], updates [count, block].
struct ScatterNdArgs {
    ScatterRule rule = ScatterRule::replace;
    Input indices;
    Input updates;
    Output out;
    std::int64_t points = 1;
    std::int64_t count = 1;
    int width = 1;
    std::int64_t extents[kMaxRank] = {};
    std::int64_t block = 1;
    std::uint32_t* faults = nullptr;
};

}  // namespace lossmap::kernels
