#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Gather: data [outer, extent, inner], indices [count] (i32 or i64, negative ones count from the end), out [outer,
/// count, inner].
struct GatherArgs {
    Input data;
    Input indices;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t extent = 1;
    std::int64_t inner = 1;
    std::int64_t count = 0;
    std::uint32_t* faults = nullptr;
};

/// GatherElements: out and indices have the shape `dims`; the index replaces the coordinate along `axis` in the data,
/// which has `data_strides` and `extent` elements along the axis.
struct GatherElementsArgs {
    Input data;
    Input indices;
    Output out;
    std::int64_t points = 1;
    Dims dims;
    Strides data_strides;
    int axis = 0;
    std::int64_t extent = 1;
    std::uint32_t* faults = nullptr;
};

/// GatherND: data [batches, extents[0], .., extents[width - 1], block], indices [batches, count, width], out [batches,
/// count, block].
struct GatherNdArgs {
    Input data;
    Input indices;
    Output out;
    std::int64_t points = 1;
    std::int64_t batches = 1;
    std::int64_t count = 1;
    int width = 1;
    std::int64_t extents[kMaxRank] = {};
    std::int64_t block = 1;
    std::uint32_t* faults = nullptr;
};

}  // namespace lossmap::kernels
