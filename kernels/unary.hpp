#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/unary_function.hpp"

namespace lossmap::kernels {

/// out = f(in), element by element, dense arrays of `count` elements a point; `out` may be `in` when the types agree.
/// Floating-point types may differ. abs, neg, relu, sign and bitwise_not take integers of one type, too; logical_not
/// takes and is_nan, is_inf, logical_not give bool. Conversions between floating-point types are `identity`.
struct UnaryArgs {
    UnaryFunction function;
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t count = 0;
    OverflowFlags overflow;  ///< watches what `function` is applied to and its result
};

/// kPackWidth elements a thread.
struct UnaryPacked {
    static constexpr int kMinBlocks = 5;  ///< 20 KB of loads in flight a multiprocessor
    UnaryArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t begin = index * kPackWidth;
        float values[kPackWidth];
        load_pack(args.in.data, args.in.type, point * args.in.point_stride + begin, values);
        flag_pack(args.overflow, args.out.type, point, begin, values);
        apply_to_pack(args.function, values);
        flag_pack(args.overflow, args.out.type, point, begin, values);
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + begin, values);
    }
};

/// One element a thread, any types.
template <typename Compute>
struct UnarySingle {
    UnaryArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const Compute x = load<Compute>(args.in.data, args.in.type, point * args.in.point_stride + index);
        const Compute y = apply(args.function, x);
        const std::int64_t at = point * args.out.point_stride + index;
        if (!is_float_storage(args.out.type)) {
            store_int(args.out.data, args.out.type, at, static_cast<std::int64_t>(y));
            return;
        }
        flag_overflow(args.overflow, args.out.type, point, index, static_cast<float>(x));
        flag_overflow(args.overflow, args.out.type, point, index, static_cast<float>(y));
        store_float(args.out.data, args.out.type, at, static_cast<float>(y));
    }
};

template <typename Launch>
void launch_unary(const UnaryArgs& args, const Launch& launch) {
    const bool floating = is_float_storage(args.in.type);
    const UnaryOp op = args.function.op;
    const bool gives_bool = op == UnaryOp::logical_not || op == UnaryOp::is_nan || op == UnaryOp::is_inf;
    if (floating ? op == UnaryOp::bitwise_not : !takes_integers(op))
        refuse("unary", "the function does not take this element type", static_cast<int>(op));
    if (gives_bool ? args.out.type != DType::boolean
                   : floating != is_float_storage(args.out.type) || (!floating && args.in.type != args.out.type))
        refuse("unary", "the function does not give this element type", static_cast<int>(args.out.type));
    if (has_packed(op) && is_packable(args.in, args.count) && is_packable(args.out, args.count))
        return launch.items(args.points, args.count / kPackWidth, UnaryPacked{args});
    if (floating) return launch.items(args.points, args.count, UnarySingle<float>{args});
    launch.items(args.points, args.count, UnarySingle<std::int64_t>{args});
}

}  // namespace lossmap::kernels
