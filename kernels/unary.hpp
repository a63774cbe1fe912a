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

/// 16 bytes a thread of arrays of one storage type.
template <typename T>
struct UnaryPacked {
    UnaryArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        constexpr int kWidth = kPackSize<T>;
        const std::int64_t begin = index * kWidth;
        const std::int64_t in = point * args.in.point_stride + begin;
        const std::int64_t out = point * args.out.point_stride + begin;
        float values[kWidth];
        load_packs<T, kWidth>(args.in.data, in, values);
        for (int k = 0; k < kWidth; ++k) {
            flag_overflow(args.overflow, args.out.type, point, begin + k, values[k]);
            values[k] = apply(args.function, values[k]);
            flag_overflow(args.overflow, args.out.type, point, begin + k, values[k]);
        }
        store_packs<T, kWidth>(args.out.data, out, values);
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

template <typename T, typename Launch>
void launch_unary_packed(const UnaryArgs& args, const Launch& launch) {
    launch.items(args.points, args.count / kPackSize<T>, UnaryPacked<T>{args});
}

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
    const std::int64_t width = 16 / storage_bytes(args.in.type);
    const bool packed = floating && args.in.type == args.out.type && args.count % width == 0 &&
                        args.in.point_stride % width == 0 && args.out.point_stride % width == 0 &&
                        is_aligned(args.in.data) && is_aligned(args.out.data);
    if (packed && args.in.type == DType::f32) return launch_unary_packed<float>(args, launch);
    if (packed && args.in.type == DType::f16) return launch_unary_packed<Half>(args, launch);
    if (packed) return launch_unary_packed<BFloat16>(args, launch);
    if (floating) return launch.items(args.points, args.count, UnarySingle<float>{args});
    launch.items(args.points, args.count, UnarySingle<std::int64_t>{args});
}

}  // namespace lossmap::kernels
