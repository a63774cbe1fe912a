#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Where: out[i] = condition[i] ? a[i] : b[i] over a row-major output, operands read through strides. a, b and out have
/// one element type, of any kind; the condition is bool.
struct SelectArgs {
    Input condition;
    Input a;
    Input b;
    Output out;
    std::int64_t points = 1;
    Dims dims;
    Strides condition_strides;
    Strides a_strides;
    Strides b_strides;
};

struct Select {
    SelectArgs args;
    StridedLoop<3> loop;
    int size_bytes = 4;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t at[3];
        loop.offsets(index, at);
        const auto* condition = static_cast<const std::uint8_t*>(args.condition.data);
        const bool first = condition[point * args.condition.point_stride + at[0]] != 0;
        const Input& chosen = first ? args.a : args.b;
        move_element(args.out.data, point * args.out.point_stride + index, chosen.data,
                     point * chosen.point_stride + (first ? at[1] : at[2]), size_bytes);
    }
};

template <typename Launch>
void launch_select(const SelectArgs& args, const Launch& launch) {
    if (args.condition.type != DType::boolean)
        refuse("select", "condition type", static_cast<int>(args.condition.type));
    if (args.a.type != args.out.type || args.b.type != args.out.type)
        refuse("select", "alternatives of two types", static_cast<int>(args.out.type));
    const StridedLoop<3> loop(args.dims, {args.condition_strides, args.a_strides, args.b_strides});
    launch.items(args.points, args.dims.count(), Select{args, loop, storage_bytes(args.out.type)});
}

}  // namespace lossmap::kernels
