#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/error.hpp"

/// Functions of two elements, as types with a static `apply`, for broadcasting loops.
namespace lossmap::ops {

template <typename T>
using Unsigned = std::make_unsigned_t<T>;

// Integer overflow wraps: the arithmetic is done unsigned.
struct Add {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
        else
            return a + b;
    }
};
struct Sub {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
        else
            return a - b;
    }
};
struct Mul {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(static_cast<Unsigned<T>>(a) * static_cast<Unsigned<T>>(b));
        else
            return a * b;
    }
};
struct Div {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_integral_v<T>) {
            if (b == T{0}) throw InputError("integer division by zero");
            if constexpr (std::is_signed_v<T>) {
                if (b == T{-1}) return Sub::apply(T{0}, a);  // min / -1 overflows otherwise
            }
        }
        return a / b;
    }
};
// Python's modulo: the result has the divisor's sign.
struct FloorMod {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_integral_v<T>) {
            if (b == T{0}) throw InputError("integer modulo by zero");
            if constexpr (std::is_signed_v<T>) {
                if (b == T{-1}) return T{0};
                const T rest = static_cast<T>(a % b);
                return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
            } else {
                return a % b;
            }
        } else {
            const T rest = std::fmod(a, b);
            return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
        }
    }
};
// C's fmod: the result has the dividend's sign.
struct TruncatedMod {
    template <typename T>
    static T apply(T a, T b) {
        if constexpr (std::is_integral_v<T>) {
            if (b == T{0}) throw InputError("integer modulo by zero");
            if constexpr (std::is_signed_v<T>) {
                if (b == T{-1}) return T{0};
            }
            return static_cast<T>(a % b);
        } else {
            return std::fmod(a, b);
        }
    }
};
struct Min {
    template <typename T>
    static T apply(T a, T b) {
        return b < a || b != b ? b : a;
    }  // b != b: NaN wins
};
struct Max {
    template <typename T>
    static T apply(T a, T b) {
        return b > a || b != b ? b : a;
    }
};
struct PRelu {
    template <typename T>
    static T apply(T x, T slope) {
        return x < T{0} ? Mul::apply(x, slope) : x;
    }
};
struct BitAnd {
    template <typename T>
    static T apply(T a, T b) {
        return static_cast<T>(a & b);
    }
};
struct BitOr {
    template <typename T>
    static T apply(T a, T b) {
        return static_cast<T>(a | b);
    }
};
struct BitXor {
    template <typename T>
    static T apply(T a, T b) {
        return static_cast<T>(a ^ b);
    }
};
// A shift by a negative count or by the width and more gives 0 (-1 for a negative number shifted right).
struct ShiftLeft {
    template <typename T>
    static T apply(T a, T b) {
        if (b < T{0} || static_cast<std::uint64_t>(b) >= 8 * sizeof(T)) return T{0};
        return static_cast<T>(static_cast<std::uint64_t>(a) << static_cast<std::uint64_t>(b));
    }
};
struct ShiftRight {
    template <typename T>
    static T apply(T a, T b) {
        if (b < T{0} || static_cast<std::uint64_t>(b) >= 8 * sizeof(T)) return a < T{0} ? static_cast<T>(-1) : T{0};
        return static_cast<T>(a >> b);
    }
};

struct Equal {
    template <typename T>
    static bool apply(T a, T b) {
        return a == b;
    }
};
struct Less {
    template <typename T>
    static bool apply(T a, T b) {
        return a < b;
    }
};
struct LessOrEqual {
    template <typename T>
    static bool apply(T a, T b) {
        return a <= b;
    }
};
struct Greater {
    template <typename T>
    static bool apply(T a, T b) {
        return a > b;
    }
};
struct GreaterOrEqual {
    template <typename T>
    static bool apply(T a, T b) {
        return a >= b;
    }
};
struct And {
    static bool apply(bool a, bool b) { return a && b; }
};
struct Or {
    static bool apply(bool a, bool b) { return a || b; }
};
struct Xor {
    static bool apply(bool a, bool b) { return a != b; }
};

}  // namespace lossmap::ops
