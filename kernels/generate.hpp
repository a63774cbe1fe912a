#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Range and ConstantOfShape: out[i] = start + i * step, of any element type (`real_*` for floating point, else
/// `integer_*`).
struct RangeArgs {
    Output out;
    std::int64_t points = 1;
    std::int64_t count = 0;
    double real_start = 0.0;
    double real_step = 0.0;
    std::int64_t integer_start = 0;
    std::int64_t integer_step = 0;
};

/// OneHot: indices [outer, inner] of any type; out [outer, depth, inner] of any type, on and off as bits. An index
/// outside the depth leaves its column off.
struct OneHotArgs {
    Input indices;
    Output out;
    std::int64_t points = 1;
    std::int64_t outer = 1;
    std::int64_t depth = 1;
    std::int64_t inner = 1;
    std::uint64_t off = 0;
    std::uint64_t on = 1;
};

/// Trilu: keeps one triangle of each matrix [matrices, rows, columns], any element type.
struct TriluArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t matrices = 1;
    std::int64_t rows = 1;
    std::int64_t columns = 1;
    std::int64_t diagonal = 0;
    bool upper = true;
};

struct Range {
    RangeArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t at = point * args.out.point_stride + index;
        if (is_float_storage(args.out.type)) {
            const double value = args.real_start + static_cast<double>(index) * args.real_step;
            store_float(args.out.data, args.out.type, at, static_cast<float>(value));
        } else {
            store_int(args.out.data, args.out.type, at, args.integer_start + index * args.integer_step);
        }
    }
};

template <typename Launch>
void launch_range(const RangeArgs& args, const Launch& launch) {
    launch.items(args.points, args.count, Range{args});
}

struct OneHot {
    OneHotArgs args;
    FastExtent inner, depth;
    int size_bytes = 4;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t i = inner.take(index);
        const std::int64_t level = depth.take(index);
        const std::int64_t from = point * args.indices.point_stride + index * args.inner + i;
        std::int64_t wanted = is_float_storage(args.indices.type)
                                  ? static_cast<std::int64_t>(load_float(args.indices.data, args.indices.type, from))
                                  : load_int(args.indices.data, args.indices.type, from);
        if (wanted < 0) wanted += args.depth;
        put_bits(args.out.data, to, wanted == level ? args.on : args.off, size_bytes);
    }
};

template <typename Launch>
void launch_one_hot(const OneHotArgs& args, const Launch& launch) {
    const std::int64_t count = args.outer * args.depth * args.inner;
    launch.items(args.points, count,
                 OneHot{args, FastExtent(args.inner, is_narrow(count)), FastExtent(args.depth, is_narrow(count)),
                        storage_bytes(args.out.type)});
}

struct Trilu {
    TriluArgs args;
    FastExtent columns, rows;
    int size_bytes = 4;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t to = point * args.out.point_stride + index;
        const std::int64_t from = point * args.in.point_stride + index;
        const std::int64_t column = columns.take(index);
        const std::int64_t distance = column - rows.take(index);
        if (args.upper ? distance >= args.diagonal : distance <= args.diagonal)
            move_element(args.out.data, to, args.in.data, from, size_bytes);
        else
            put_bits(args.out.data, to, 0, size_bytes);
    }
};

template <typename Launch>
void launch_trilu(const TriluArgs& args, const Launch& launch) {
    if (args.in.type != args.out.type) refuse("trilu", "two element types", static_cast<int>(args.out.type));
    const std::int64_t count = args.matrices * args.rows * args.columns;
    launch.items(args.points, count,
                 Trilu{args, FastExtent(args.columns, is_narrow(count)), FastExtent(args.rows, is_narrow(count)),
                       storage_bytes(args.out.type)});
}

}  // namespace lossmap::kernels
