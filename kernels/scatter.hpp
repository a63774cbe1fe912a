#pragma once

#include <cstdint>

#include "kernels/gather.hpp"
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

LOSSMAP_HD inline float combine_update(ScatterRule rule, float old, float update) {
    switch (rule) {
        case ScatterRule::add: return old + update;
        case ScatterRule::multiply: return old * update;
        case ScatterRule::maximum: return update > old || update != update ? update : old;
        case ScatterRule::minimum: return update < old || update != update ? update : old;
        default: return update;
    }
}
LOSSMAP_HD inline std::int64_t combine_update(ScatterRule rule, std::int64_t old, std::int64_t update) {
    switch (rule) {
        case ScatterRule::add:
            return static_cast<std::int64_t>(static_cast<std::uint64_t>(old) + static_cast<std::uint64_t>(update));
        case ScatterRule::multiply:
            return static_cast<std::int64_t>(static_cast<std::uint64_t>(old) * static_cast<std::uint64_t>(update));
        case ScatterRule::maximum: return update > old ? update : old;
        case ScatterRule::minimum: return update < old ? update : old;
        default: return update;
    }
}

template <typename Args>
LOSSMAP_HD inline void apply_update(const Args& args, std::int64_t to, std::int64_t from) {
    const DType type = args.out.type;
    if (is_float_storage(type)) {
        const float old = load_float(args.out.data, type, to);
        store_float(args.out.data, type, to, combine_update(args.rule, old, load_float(args.updates.data, type, from)));
    } else {
        const std::int64_t old = load_int(args.out.data, type, to);
        store_int(args.out.data, type, to, combine_update(args.rule, old, load_int(args.updates.data, type, from)));
    }
}

/// One thread applies all updates along the axis of one line, in order: no two threads write the same element.
struct ScatterElements {
    ScatterElementsArgs args;
    FastExtent extents[kMaxRank];  ///< 1 along the axis
    Strides index_strides;         ///< of indices and updates

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t from = 0;
        std::int64_t to = point * args.out.point_stride;
        for (int axis = args.dims.rank - 1; axis >= 0; --axis) {
            const std::int64_t at = extents[axis].take(index);
            from += at * index_strides.values[axis];
            to += at * args.data_strides.values[axis];
        }
        for (std::int64_t k = 0; k < args.dims.extents[args.axis]; ++k) {
            const std::int64_t place = from + k * index_strides.values[args.axis];
            const std::int64_t wanted =
                load_int(args.indices.data, args.indices.type, point * args.indices.point_stride + place);
            const std::int64_t at = wrap_index(wanted, args.extent, args.faults);
            if (at < 0) continue;
            apply_update(args, to + at * args.data_strides.values[args.axis],
                         point * args.updates.point_stride + place);
        }
    }
};

template <typename Launch>
void launch_scatter_elements(const ScatterElementsArgs& args, const Launch& launch) {
    require_indices("scatter_elements", args);
    if (args.updates.type != args.out.type)
        refuse("scatter_elements", "two element types", static_cast<int>(args.out.type));
    ScatterElements body{args, {}, dense_strides(args.dims)};
    const std::int64_t total = args.dims.count();
    if (total == 0) return;
    for (int axis = 0; axis < args.dims.rank; ++axis)
        body.extents[axis] = FastExtent(axis == args.axis ? 1 : args.dims.extents[axis], is_narrow(total));
    launch.items(args.points, total / args.dims.extents[args.axis], body);
}

/// One thread applies the updates of one element of the block, in order.
struct ScatterNd {
    ScatterNdArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        for (std::int64_t row = 0; row < args.count; ++row) {
            const std::int64_t position = nd_position(args, point * args.indices.point_stride + row * args.width);
            if (position < 0) continue;
            apply_update(args, point * args.out.point_stride + position * args.block + index,
                         point * args.updates.point_stride + row * args.block + index);
        }
    }
};

template <typename Launch>
void launch_scatter_nd(const ScatterNdArgs& args, const Launch& launch) {
    require_indices("scatter_nd", args);
    if (args.updates.type != args.out.type) refuse("scatter_nd", "two element types", static_cast<int>(args.out.type));
    launch.items(args.points, args.block, ScatterNd{args});
}

}  // namespace lossmap::kernels
