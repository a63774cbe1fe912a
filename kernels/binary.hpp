#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/operand.hpp"
#include "kernels/storage.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// Functions of two elements; NaN wins in min and max.
enum class BinaryOp : std::uint8_t {
    add,
    sub,
    mul,
    div,
    floor_mod,      ///< the divisor's sign
    truncated_mod,  ///< the dividend's sign
    pow,
    min,
    max,
    prelu,  ///< x < 0 ? x * slope : x
    // Results of type bool:
    equal,
    less,
    less_or_equal,
    greater,
    greater_or_equal,
    logical_and,
    logical_or,
    logical_xor,
    // Integers only:
    bit_and,
    bit_or,
    bit_xor,
    shift_left,
    shift_right,
};
inline constexpr int kBinaryOpCount = static_cast<int>(BinaryOp::shift_right) + 1;

/// out[i] = f(a[i], b[i]) over a row-major output, operands read through strides within a point (0 broadcasts). Both
/// operands floating point (any mix of storage types) or both integer or bool; `out` may be an operand that is read
/// element by element.
struct BinaryArgs {
    BinaryOp op = BinaryOp::add;
    Input a;
    Input b;
    Output out;
    std::int64_t points = 1;
    Dims dims;
    Strides a_strides;
    Strides b_strides;
    OverflowFlags overflow;
    std::uint32_t* faults = nullptr;  ///< integer division
};

LOSSMAP_HD inline float apply(BinaryOp op, float a, float b, std::uint32_t*) {
    switch (op) {
        case BinaryOp::add: return a + b;
        case BinaryOp::sub: return a - b;
        case BinaryOp::mul: return a * b;
        case BinaryOp::div: return a / b;
        case BinaryOp::floor_mod: {
            const float rest = std::fmod(a, b);
            return rest != 0.0F && (rest < 0.0F) != (b < 0.0F) ? rest + b : rest;
        }
        case BinaryOp::truncated_mod: return std::fmod(a, b);
        case BinaryOp::pow: return std::pow(a, b);
        case BinaryOp::min: return b < a || b != b ? b : a;
        case BinaryOp::max: return b > a || b != b ? b : a;
        case BinaryOp::prelu: return a < 0.0F ? a * b : a;
        case BinaryOp::equal: return a == b ? 1.0F : 0.0F;
        case BinaryOp::less: return a < b ? 1.0F : 0.0F;
        case BinaryOp::less_or_equal: return a <= b ? 1.0F : 0.0F;
        case BinaryOp::greater: return a > b ? 1.0F : 0.0F;
        default: return a >= b ? 1.0F : 0.0F;  // greater_or_equal
    }
}

LOSSMAP_HD inline std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
    if (exponent < 0) return base == 1 ? 1 : 0;
    std::uint64_t result = 1;
    auto square = static_cast<std::uint64_t>(base);
    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0) result *= square;
        square *= square;
    }
    return static_cast<std::int64_t>(result);
}

/// Division by zero is a fault and gives 0; the smallest number by -1 wraps.
LOSSMAP_HD inline std::int64_t integer_divide(BinaryOp op, std::int64_t a, std::int64_t b, std::uint32_t* faults) {
    if (b == 0) {
        raise_fault(faults, kFaultDivision);
        return 0;
    }
    if (b == -1)
        return op == BinaryOp::div ? static_cast<std::int64_t>(std::uint64_t{0} - static_cast<std::uint64_t>(a)) : 0;
    if (op == BinaryOp::div) return a / b;
    const std::int64_t rest = a % b;
    return op == BinaryOp::floor_mod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/// Overflow wraps; a shift by a negative count or by 64 and more gives 0 (-1 for a negative number shifted right).
LOSSMAP_HD inline std::int64_t apply(BinaryOp op, std::int64_t a, std::int64_t b, std::uint32_t* faults) {
    const auto left = static_cast<std::uint64_t>(a);
    const auto right = static_cast<std::uint64_t>(b);
    const bool shiftable = right < 64;
    switch (op) {
        case BinaryOp::add: return static_cast<std::int64_t>(left + right);
        case BinaryOp::sub: return static_cast<std::int64_t>(left - right);
        case BinaryOp::mul: return static_cast<std::int64_t>(left * right);
        case BinaryOp::div:
        case BinaryOp::floor_mod:
        case BinaryOp::truncated_mod: return integer_divide(op, a, b, faults);
        case BinaryOp::pow: return integer_power(a, b);
        case BinaryOp::min: return b < a ? b : a;
        case BinaryOp::max: return b > a ? b : a;
        case BinaryOp::prelu: return a < 0 ? static_cast<std::int64_t>(left * right) : a;
        case BinaryOp::equal: return a == b;
        case BinaryOp::less: return a < b;
        case BinaryOp::less_or_equal: return a <= b;
        case BinaryOp::greater: return a > b;
        case BinaryOp::greater_or_equal: return a >= b;
        case BinaryOp::logical_and: return a != 0 && b != 0;
        case BinaryOp::logical_or: return a != 0 || b != 0;
        case BinaryOp::logical_xor: return (a != 0) != (b != 0);
        case BinaryOp::bit_and: return a & b;
        case BinaryOp::bit_or: return a | b;
        case BinaryOp::bit_xor: return a ^ b;
        case BinaryOp::shift_left: return shiftable ? static_cast<std::int64_t>(left << right) : 0;
        default: return shiftable ? a >> b : (a < 0 ? -1 : 0);  // shift_right
    }
}

inline bool gives_bool(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::logical_xor; }
inline bool takes_floats(BinaryOp op) { return op <= BinaryOp::greater_or_equal; }

/// Whether the packed kernel has the function.
inline bool has_packed(BinaryOp op) { return op <= BinaryOp::div || op == BinaryOp::min || op == BinaryOp::max; }

/// kPackWidth elements a thread: floating-point arrays read element by element.
struct BinaryPacked {
    static constexpr int kMinBlocks = 5;  ///< 20 KB of loads in flight a multiprocessor
    BinaryArgs args;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        const std::int64_t begin = index * kPackWidth;
        float a[kPackWidth], b[kPackWidth];
        load_pack(args.a.data, args.a.type, point * args.a.point_stride + begin, a);
        load_pack(args.b.data, args.b.type, point * args.b.point_stride + begin, b);
        switch (args.op) {
            case BinaryOp::sub: combine<BinaryOp::sub>(a, b); break;
            case BinaryOp::mul: combine<BinaryOp::mul>(a, b); break;
            case BinaryOp::div: combine<BinaryOp::div>(a, b); break;
            case BinaryOp::min: combine<BinaryOp::min>(a, b); break;
            case BinaryOp::max: combine<BinaryOp::max>(a, b); break;
            default: combine<BinaryOp::add>(a, b); break;
        }
        flag_pack(args.overflow, args.out.type, point, begin, a);
        store_pack(args.out.data, args.out.type, point * args.out.point_stride + begin, a);
    }

private:
    template <BinaryOp kOp, int N>
    LOSSMAP_HD static void combine(float (&a)[N], const float (&b)[N]) {
        LOSSMAP_UNROLL
        for (int k = 0; k < N; ++k)
            a[k] = apply(kOp, a[k], b[k], nullptr);
    }
};

/// One element a thread, any strides and types.
template <typename Compute>
struct BinaryStrided {
    BinaryArgs args;
    StridedLoop<2> loop;

    LOSSMAP_HD void operator()(std::int64_t point, std::int64_t index) const {
        std::int64_t at[2];
        loop.offsets(index, at);
        const Compute a = load<Compute>(args.a.data, args.a.type, point * args.a.point_stride + at[0]);
        const Compute b = load<Compute>(args.b.data, args.b.type, point * args.b.point_stride + at[1]);
        const Compute y = apply(args.op, a, b, args.faults);
        const std::int64_t out = point * args.out.point_stride + index;
        if (!is_float_storage(args.out.type)) {
            store_int(args.out.data, args.out.type, out, static_cast<std::int64_t>(y));
            return;
        }
        flag_overflow(args.overflow, args.out.type, point, index, static_cast<float>(y));
        store_float(args.out.data, args.out.type, out, static_cast<float>(y));
    }
};

template <typename Launch>
void launch_binary(const BinaryArgs& args, const Launch& launch) {
    const bool floating = is_float_storage(args.a.type);
    if (floating != is_float_storage(args.b.type)) refuse("binary", "operands of two kinds", static_cast<int>(args.op));
    if (floating && !takes_floats(args.op)) refuse("binary", "the function takes integers", static_cast<int>(args.op));
    if (gives_bool(args.op) ? args.out.type != DType::boolean : floating != is_float_storage(args.out.type))
        refuse("binary", "the function does not give this element type", static_cast<int>(args.out.type));
    const StridedLoop<2> loop(args.dims, {args.a_strides, args.b_strides});
    const std::int64_t count = args.dims.count();
    if (has_packed(args.op) && loop.contiguous() && is_packable(args.a, count) && is_packable(args.b, count) &&
        is_packable(args.out, count)) {
        return launch.items(args.points, count / kPackWidth, BinaryPacked{args});
    }
    if (floating) return launch.items(args.points, count, BinaryStrided<float>{args, loop});
    launch.items(args.points, count, BinaryStrided<std::int64_t>{args, loop});
}

}  // namespace lossmap::kernels
