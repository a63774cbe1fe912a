#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Moves elements of one type: out[sum_k i_k * out_strides[k]] = in[sum_k m_k(i_k) * in_strides[k]] for every index
/// (i0, i1, ..) of `dims`, with m_k the map of dimension k, or i_k itself where there is none. Where a map gives -1 the
/// output becomes `fill`. Transpose, Slice, Expand, Split, Concat (one launch an input) and DepthToSpace need strides
/// alone; Pad in all its modes, Tile and nearest-neighbour Resize need maps. Offsets of a view go into the pointers.
struct CopyArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    Dims dims;
    Strides in_strides;
    Strides out_strides;
    const std::int32_t* maps[kMaxRank] = {};  ///< [extents[k]] in device memory, or null
    std::uint64_t fill = 0;                   ///< bits of one element
};

}  // namespace lossmap::kernels
