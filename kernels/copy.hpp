#pragma once

#include <cstdint>
#include <optional>

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

/// A transpose through shared memory: the dimension that is innermost in the input is another one than in the output,
/// so an element by element copy reads or writes a line of memory for each. A block moves kTile elements of one by
/// kTile of the other and meets both sides along their lines. A row of the tile is one element longer, so that columns
/// lie in different banks.
struct CopyTiled {
    static constexpr int kThreads = 256;
    static constexpr int kMinBlocks = 4;
    static constexpr int kTile = 32;
    static constexpr int kRowsAtOnce = kThreads / kTile;
    struct Shared {
        std::uint64_t tile[kTile * (kTile + 1)];
    };
    struct Thread {};

    const void* in;
    void* out;
    std::int64_t in_point_stride;
    std::int64_t out_point_stride;
    StridedLoop<2> rest;             ///< the other dimensions
    FastExtent in_tiles, out_tiles;  ///< along the dimension that is innermost in the input, in the output
    std::int64_t in_extent;          ///< of that dimension
    std::int64_t out_extent;
    std::int64_t in_step;  ///< in the input, of the dimension that is innermost in the output
    std::int64_t out_step;
    int size_bytes;

    LOSSMAP_HD static int phases() { return 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t point, std::int64_t block, int thread, Shared& shared,
                          Thread&) const {
        const std::int64_t a = in_tiles.take(block) * kTile;
        const std::int64_t b = out_tiles.take(block) * kTile;
        std::int64_t at[2];
        rest.offsets(block, at);
        const int lane = thread % kTile;
        const int first = thread / kTile;
        if (phase == 0) {
            const std::int64_t from = point * in_point_stride + at[0] + a + lane + b * in_step;
            // All loads before the first store: they travel together.
            std::uint64_t values[kTile / kRowsAtOnce];
            LOSSMAP_UNROLL
            for (int k = 0; k < kTile / kRowsAtOnce; ++k) {
                const int row = first + k * kRowsAtOnce;
                const bool inside = a + lane < in_extent && b + row < out_extent;
                values[k] = inside ? get_bits(in, from + row * in_step, size_bytes) : 0;
            }
            LOSSMAP_UNROLL
            for (int k = 0; k < kTile / kRowsAtOnce; ++k)
                shared.tile[(first + k * kRowsAtOnce) * (kTile + 1) + lane] = values[k];
            return;
        }
        const std::int64_t to = point * out_point_stride + at[1] + b + lane + a * out_step;
        LOSSMAP_UNROLL
        for (int k = 0; k < kTile / kRowsAtOnce; ++k) {
            const int row = first + k * kRowsAtOnce;
            if (b + lane < out_extent && a + row < in_extent)
                put_bits(out, to + row * out_step, shared.tile[lane * (kTile + 1) + row], size_bytes);
        }
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

/// Shorter dimensions than this are not worth a tile: a line of memory serves neighbouring elements anyway.
inline constexpr std::int64_t kLeastTiled = 8;

/// The dimension of a loop along which an operand's elements lie side by side; -1: there is none of kLeastTiled.
inline int innermost(const StridedLoop<2>& loop, int operand) {
    for (int axis = 0; axis < loop.rank; ++axis) {
        if (loop.strides[operand][axis] == 1 && loop.extents[axis].extent >= kLeastTiled) return axis;
    }
    return -1;
}

/// The copy by tiles, where both sides have an innermost dimension and these are different ones.
inline std::optional<CopyTiled> tiled_copy(const CopyArgs& args, const StridedLoop<2>& loop) {
    const int in_axis = innermost(loop, 0);
    const int out_axis = innermost(loop, 1);
    if (in_axis < 0 || out_axis < 0 || in_axis == out_axis) return std::nullopt;
    CopyTiled body{args.in.data, args.out.data, args.in.point_stride, args.out.point_stride, {}, {}, {}, 0, 0, 0, 0, 0};
    Dims dims;
    Strides strides[2];
    for (int axis = 0; axis < loop.rank; ++axis) {
        if (axis == in_axis || axis == out_axis) continue;
        for (int k = 0; k < 2; ++k)
            strides[k].values[dims.rank] = loop.strides[k][axis];
        dims.extents[dims.rank++] = loop.extents[axis].extent;
    }
    body.rest = StridedLoop<2>(dims, strides);
    body.in_extent = loop.extents[in_axis].extent;
    body.out_extent = loop.extents[out_axis].extent;
    body.in_step = loop.strides[0][out_axis];
    body.out_step = loop.strides[1][in_axis];
    body.size_bytes = storage_bytes(args.in.type);
    const auto tiles = [](std::int64_t extent) { return (extent + CopyTiled::kTile - 1) / CopyTiled::kTile; };
    const bool narrow = is_narrow(dims.count() * tiles(body.in_extent) * tiles(body.out_extent));
    body.in_tiles = FastExtent(tiles(body.in_extent), narrow);
    body.out_tiles = FastExtent(tiles(body.out_extent), narrow);
    return body;
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
    if (const std::optional<CopyTiled> tiled = tiled_copy(args, loop)) {
        const std::int64_t blocks = tiled->rest.count() * tiled->in_tiles.extent * tiled->out_tiles.extent;
        return launch.blocks(args.points, blocks, *tiled);
    }
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
