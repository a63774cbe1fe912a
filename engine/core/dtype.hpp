#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lossmap {

/// Element types that tensors may hold. Arithmetic is done in fp32, fp64 and the integer types; fp16 and bf16 appear in
/// files and are converted to fp32 on import.
enum class DType : std::uint8_t { f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

/// Bytes of one element.
[[nodiscard]] std::size_t size_of(DType dtype);

/// "f32", "i64", "bool", ..
[[nodiscard]] std::string_view name_of(DType dtype);

[[nodiscard]] bool is_floating_point(DType dtype);
[[nodiscard]] bool is_integer(DType dtype);

/// The DType of a C++ type; a compile error for types without one. `bool` is stored as one byte, 0 or 1.
template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
    static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
    static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<std::int8_t> {
    static constexpr DType value = DType::i8;
};
template <>
struct DTypeOf<std::int16_t> {
    static constexpr DType value = DType::i16;
};
template <>
struct DTypeOf<std::int32_t> {
    static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
    static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::uint8_t> {
    static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::uint16_t> {
    static constexpr DType value = DType::u16;
};
template <>
struct DTypeOf<std::uint32_t> {
    static constexpr DType value = DType::u32;
};
template <>
struct DTypeOf<std::uint64_t> {
    static constexpr DType value = DType::u64;
};
template <>
struct DTypeOf<bool> {
    static constexpr DType value = DType::boolean;
};

template <typename T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// IEEE binary16 and bfloat16 bit patterns to fp32, exactly.
[[nodiscard]] float half_to_float(std::uint16_t bits);
[[nodiscard]] float bfloat16_to_float(std::uint16_t bits);
/// fp32 to the nearest value, ties to even; overflow gives infinity, NaN stays NaN.
[[nodiscard]] std::uint16_t float_to_half(float value);
[[nodiscard]] std::uint16_t float_to_bfloat16(float value);

}  // namespace lossmap
