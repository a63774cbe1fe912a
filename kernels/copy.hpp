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

/// Strides alone; elements may be several of the operands' that lie side by side.
struct CopyStrided {
    const void* in;
    void* out;
    std::int64_t in_point_stride;
    std::int64_t out_point_stride;
    StridedLoop<2> loop;
    int size_bytes;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t at[2];
        loop.offsets(index, at);
        move_element(out, point * out_point_stride + at[1], in, point * in_point_stride + at[0], size_bytes);
    }
};

/// Maps in some dimensions.
struct CopyMapped {
    CopyArgs args;
    FastExtent extents[kMaxRank];
    int size_bytes;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t from = point * args.in.point_stride;
        std::int64_t to = point * args.out.point_stride;
        bool inside = true;
        for (int axis = args.dims.rank - 1; axis >= 0; --axis) {
            const std::int64_t at = extents[axis].take(index);
            const std::int64_t source = args.maps[axis] == nullptr ? at : args.maps[axis][at];
            inside = inside && source >= 0;
            from += source * args.in_strides.values[axis];
            to += at * args.out_strides.values[axis];
        }
        if (inside)
            move_element(args.out.data, to, args.in.data, from, size_bytes);
        else
            put_bits(args.out.data, to, args.fill, size_bytes);
    }
};

/// The widest unit of up to 16 bytes in which the copy can be made: `factor` elements that both sides hold side by
/// side, at addresses that are multiples of it.
inline int copy_unit(const CopyArgs& args, const StridedLoop<2>& loop) {
    const int size = storage_bytes(args.in.type);
    if (loop.rank == 0) return 1;
    const int last = loop.rank - 1;
    if (loop.strides[0][last] != 1 || loop.strides[1][last] != 1) return 1;
    for (int factor = 16 / size; factor > 1; factor /= 2) {
        bool fits = loop.extents[last].extent % factor == 0 && args.in.point_stride % factor == 0 &&
                    args.out.point_stride % factor == 0 &&
                    reinterpret_cast<std::uintptr_t>(args.in.data) % static_cast<unsigned>(factor * size) == 0 &&
                    reinterpret_cast<std::uintptr_t>(args.out.data) % static_cast<unsigned>(factor * size) == 0;
        for (int axis = 0; fits && axis < last; ++axis)
            fits = loop.strides[0][axis] % factor == 0 && loop.strides[1][axis] % factor == 0;
        if (fits) return factor;
    }
    return 1;
}

template <typename Launch>
void launch_copy(const CopyArgs& args, const Launch& launch) {
    if (args.in.type != args.out.type) refuse("copy", "two element types", static_cast<int>(args.out.type));
    const int size = storage_bytes(args.in.type);
    const std::int64_t count = args.dims.count();
    bool mapped = false;
    for (int axis = 0; axis < args.dims.rank; ++axis)
        mapped = mapped || args.maps[axis] != nullptr;
    if (mapped) {
        CopyMapped body{args, {}, size};
        for (int axis = 0; axis < args.dims.rank; ++axis)
            body.extents[axis] = FastExtent(args.dims.extents[axis], is_narrow(count));
        return launch.items(args.points, count, body);
    }
    StridedLoop<2> loop(args.dims, {args.in_strides, args.out_strides});
    const int factor = copy_unit(args, loop);
    if (factor > 1) {
        const int last = loop.rank - 1;
        loop.extents[last] = FastExtent(loop.extents[last].extent / factor, loop.extents[last].narrow);
        for (auto& strides : loop.strides) {
            for (int axis = 0; axis < last; ++axis)
                strides[axis] /= factor;
        }
    }
    launch.items(args.points, count / factor,
                 CopyStrided{args.in.data, args.out.data, args.in.point_stride / factor, args.out.point_stride / factor,
                             loop, size * factor});
}

}  // namespace lossmap::kernels
