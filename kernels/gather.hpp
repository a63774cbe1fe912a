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

/// An index counted from the end when negative; -1 and a fault when it is outside its dimension.
LOSSMAP_HD inline std::int64_t wrap_index(std::int64_t index, std::int64_t extent, std::uint32_t* faults) {
    const std::int64_t wrapped = index < 0 ? index + extent : index;
    if (wrapped >= 0 && wrapped < extent) return wrapped;
    raise_fault(faults, kFaultIndex);
    return -1;
}

struct Gather {
    GatherArgs args;  ///< `inner` and the point strides of data and out count units of `size_bytes`
    FastExtent inner, count;
    int size_bytes = 4;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t i = inner.take(index);
        const std::int64_t entry = count.take(index);
        const std::int64_t wanted =
            load_int(args.indices.data, args.indices.type, point * args.indices.point_stride + entry);
        const std::int64_t at = wrap_index(wanted, args.extent, args.faults);
        if (at < 0) return put_zero(to);
        move_element(args.out.data, to, args.data.data,
                     point * args.data.point_stride + (index * args.extent + at) * args.inner + i, size_bytes);
    }

private:
    LOSSMAP_HD void put_zero(std::int64_t to) const {
        for (int byte = 0; byte < size_bytes; ++byte)
            static_cast<std::uint8_t*>(args.out.data)[to * size_bytes + byte] = 0;
    }
};

template <typename Args>
void require_indices(const char* kernel, const Args& args) {
    if (args.indices.type != DType::i32 && args.indices.type != DType::i64)
        refuse(kernel, "index type", static_cast<int>(args.indices.type));
}

template <typename Launch>
void launch_gather(const GatherArgs& given, const Launch& launch) {
    require_indices("gather", given);
    if (given.data.type != given.out.type) refuse("gather", "two element types", static_cast<int>(given.out.type));
    GatherArgs args = given;
    int size = storage_bytes(args.data.type);
    // Rows are moved in the widest unit that fits.
    while (size < 16 && args.inner % 2 == 0 && args.data.point_stride % 2 == 0 && args.out.point_stride % 2 == 0 &&
           reinterpret_cast<std::uintptr_t>(args.data.data) % static_cast<unsigned>(2 * size) == 0 &&
           reinterpret_cast<std::uintptr_t>(args.out.data) % static_cast<unsigned>(2 * size) == 0) {
        size *= 2;
        args.inner /= 2;
        args.data.point_stride /= 2;
        args.out.point_stride /= 2;
    }
    const std::int64_t total = args.outer * args.count * args.inner;
    launch.items(
        args.points, total,
        Gather{args, FastExtent(args.inner, is_narrow(total)), FastExtent(args.count, is_narrow(total)), size});
}

struct GatherElements {
    GatherElementsArgs args;
    FastExtent extents[kMaxRank];
    int size_bytes = 4;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t wanted =
            load_int(args.indices.data, args.indices.type, point * args.indices.point_stride + index);
        const std::int64_t at = wrap_index(wanted, args.extent, args.faults);
        if (at < 0) return put_bits(args.out.data, to, 0, size_bytes);
        std::int64_t from = point * args.data.point_stride + at * args.data_strides.values[args.axis];
        for (int axis = args.dims.rank - 1; axis >= 0; --axis) {
            const std::int64_t coordinate = extents[axis].take(index);
            if (axis != args.axis) from += coordinate * args.data_strides.values[axis];
        }
        move_element(args.out.data, to, args.data.data, from, size_bytes);
    }
};

template <typename Launch>
void launch_gather_elements(const GatherElementsArgs& args, const Launch& launch) {
    require_indices("gather_elements", args);
    if (args.data.type != args.out.type)
        refuse("gather_elements", "two element types", static_cast<int>(args.out.type));
    const std::int64_t total = args.dims.count();
    GatherElements body{args, {}, storage_bytes(args.data.type)};
    for (int axis = 0; axis < args.dims.rank; ++axis)
        body.extents[axis] = FastExtent(args.dims.extents[axis], is_narrow(total));
    launch.items(args.points, total, body);
}

/// Flat position of the block that `width` indices from `first` on name; -1 and a fault when one is out of range.
template <typename Args>
LOSSMAP_HD inline std::int64_t nd_position(const Args& args, std::int64_t first) {
    std::int64_t position = 0;
    bool inside = true;
    for (int k = 0; k < args.width; ++k) {
        const std::int64_t wanted = load_int(args.indices.data, args.indices.type, first + k);
        const std::int64_t at = wrap_index(wanted, args.extents[k], args.faults);
        inside = inside && at >= 0;
        position = position * args.extents[k] + at;
    }
    return inside ? position : -1;
}

struct GatherNd {
    GatherNdArgs args;
    FastExtent block, count;
    int size_bytes = 4;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t i = block.take(index);
        const std::int64_t row = index;
        const std::int64_t entry = count.take(index);
        (void)entry;
        const std::int64_t position = nd_position(args, point * args.indices.point_stride + row * args.width);
        if (position < 0) return put_bits(args.out.data, to, 0, size_bytes);
        std::int64_t batch_size = args.block;
        for (int k = 0; k < args.width; ++k)
            batch_size *= args.extents[k];
        move_element(args.out.data, to, args.data.data,
                     point * args.data.point_stride + index * batch_size + position * args.block + i, size_bytes);
    }
};

template <typename Launch>
void launch_gather_nd(const GatherNdArgs& args, const Launch& launch) {
    require_indices("gather_nd", args);
    if (args.data.type != args.out.type) refuse("gather_nd", "two element types", static_cast<int>(args.out.type));
    const std::int64_t total = args.batches * args.count * args.block;
    launch.items(args.points, total,
                 GatherNd{args, FastExtent(args.block, is_narrow(total)), FastExtent(args.count, is_narrow(total)),
                          storage_bytes(args.data.type)});
}

}  // namespace lossmap::kernels
