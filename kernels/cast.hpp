#pragma once

#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"

namespace lossmap::kernels {

/// Conversion between any two element types: floating point to integer truncates and saturates (NaN gives 0), to bool
/// compares with zero, integer to narrower integer wraps, integer to floating point rounds once.
struct CastArgs {
    Input in;
    Output out;
    std::int64_t points = 1;
    std::int64_t count = 0;
    OverflowFlags overflow;
};

/// Truncates and saturates to the range of an integer type; NaN gives 0.
LOSSMAP_HD inline std::int64_t saturate(float value, DType type) {
    // Powers of two, exact in fp32: the first value above the range, and the lowest value.
    float above = 9223372036854775808.0F;
    float lowest = -above;
    std::int64_t largest = INT64_MAX;
    const auto bounds = [&](float above_in, float lowest_in) {
        above = above_in;
        lowest = lowest_in;
        largest = static_cast<std::int64_t>(above_in) - 1;
    };
    switch (type) {
        case DType::i8: bounds(128.0F, -128.0F); break;
        case DType::i16: bounds(32768.0F, -32768.0F); break;
        case DType::i32: bounds(2147483648.0F, -2147483648.0F); break;
        case DType::u8: bounds(256.0F, 0.0F); break;
        case DType::u16: bounds(65536.0F, 0.0F); break;
        case DType::u32: bounds(4294967296.0F, 0.0F); break;
        default: break;
    }
    if (value != value) return 0;
    if (value >= above) return largest;
    if (value <= lowest) return static_cast<std::int64_t>(lowest);
    return static_cast<std::int64_t>(value);
}

struct Cast {
    CastArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t from = point * args.in.point_stride + index;
        const std::int64_t to = point * args.out.point_stride + index;
        if (!is_float_storage(args.in.type)) {
            const std::int64_t value = load_int(args.in.data, args.in.type, from);
            if (!is_float_storage(args.out.type)) return store_int(args.out.data, args.out.type, to, value);
            flag_overflow(args.overflow, args.out.type, point, index, static_cast<float>(value));
            return store_float(args.out.data, args.out.type, to, static_cast<float>(value));
        }
        const float value = load_float(args.in.data, args.in.type, from);
        if (is_float_storage(args.out.type)) {
            flag_overflow(args.overflow, args.out.type, point, index, value);
            return store_float(args.out.data, args.out.type, to, value);
        }
        store_int(args.out.data, args.out.type, to,
                  args.out.type == DType::boolean ? value != 0.0F : saturate(value, args.out.type));
    }
};

template <typename Launch>
void launch_cast(const CastArgs& args, const Launch& launch) {
    if (args.in.type == DType::f64 || args.out.type == DType::f64 || args.out.type == DType::u64)
        refuse("cast", "element type", static_cast<int>(args.out.type));
    launch.items(args.points, args.count, Cast{args});
}

}  // namespace lossmap::kernels
