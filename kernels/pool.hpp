#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"
#include "kernels/window.hpp"

namespace lossmap::kernels {

enum class PoolKind : std::uint8_t { max, average, lp };

/// Pools over up to three spatial dimensions. Padding never takes part in a maximum; an average divides by the
/// positions inside the input, or with count_include_pad by those within input and padding. Sums in fp64. A global pool
/// is a window over everything.
struct PoolArgs {
    PoolKind kind = PoolKind::max;
    Input in;
    Output out;
    Output indices;  ///< max: i64 flat indices into [samples, channels, spatial..]; null data: not wanted
    std::int64_t points = 1;
    std::int64_t samples = 1;
    std::int64_t channels = 1;
    WindowGeometry window;
    PlaneStrides in_strides;
    PlaneStrides out_strides;  ///< of `indices`, too
    bool count_include_pad = false;
    bool column_major_indices = false;  ///< storage_order 1
    double order = 2.0;                 ///< lp
};

}  // namespace lossmap::kernels
