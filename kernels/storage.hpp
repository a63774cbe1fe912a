#pragma once

#include <cstdint>

#include "core/dtype.hpp"
#include "core/host_device.hpp"

/// Elements in memory and in registers: 16-bit floating-point types, loads and stores by runtime type, packs of 16
/// bytes.
namespace lossmap::kernels {

/// IEEE binary16, round to nearest even.
struct Half {
    std::uint16_t bits;
};
/// bfloat16, round to nearest even.
struct BFloat16 {
    std::uint16_t bits;
};

// The device has instructions for the conversions; the host's are those of core/dtype. They agree but for NaN payloads.
LOSSMAP_HD inline float to_float(float value) { return value; }
LOSSMAP_HD inline float to_float(Half value) {
#if defined(__CUDA_ARCH__)
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
    return result;
#else
    return half_to_float(value.bits);
#endif
}
LOSSMAP_HD inline float to_float(BFloat16 value) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
#else
    return bfloat16_to_float(value.bits);
#endif
}

template <typename T>
LOSSMAP_HD inline T from_float(float value);
template <>
LOSSMAP_HD inline float from_float<float>(float value) {
    return value;
}
template <>
LOSSMAP_HD inline Half from_float<Half>(float value) {
#if defined(__CUDA_ARCH__)
    Half result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    return Half{float_to_half(value)};
#endif
}
template <>
LOSSMAP_HD inline BFloat16 from_float<BFloat16>(float value) {
#if defined(__CUDA_ARCH__)
    BFloat16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    return BFloat16{float_to_bfloat16(value)};
#endif
}

/// Whether an element type is one that arithmetic in fp32 is done on.
LOSSMAP_HD inline bool is_float_storage(DType type) {
    return type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

/// Bytes of an element; the host's size_of, callable from kernels.
LOSSMAP_HD inline int storage_bytes(DType type) {
    switch (type) {
        case DType::f64:
        case DType::i64:
        case DType::u64: return 8;
        case DType::f32:
        case DType::i32:
        case DType::u32: return 4;
        case DType::f16:
        case DType::bf16:
        case DType::i16:
        case DType::u16: return 2;
        default: return 1;
    }
}

template <typename T>
LOSSMAP_HD inline T element_at(const void* data, std::int64_t index) {
    return static_cast<const T*>(data)[index];
}

/// Element `index` of an integer or bool array.
LOSSMAP_HD inline std::int64_t load_int(const void* data, DType type, std::int64_t index) {
    switch (type) {
        case DType::i8: return element_at<std::int8_t>(data, index);
        case DType::i16: return element_at<std::int16_t>(data, index);
        case DType::i32: return element_at<std::int32_t>(data, index);
        case DType::u16: return element_at<std::uint16_t>(data, index);
        case DType::u32: return element_at<std::uint32_t>(data, index);
        case DType::u8:
        case DType::boolean: return element_at<std::uint8_t>(data, index);
        default: return element_at<std::int64_t>(data, index);  // i64, u64
    }
}

/// Element `index` as fp32, of any type; f64 is rounded.
LOSSMAP_HD inline float load_float(const void* data, DType type, std::int64_t index) {
    switch (type) {
        case DType::f32: return element_at<float>(data, index);
        case DType::f16: return to_float(element_at<Half>(data, index));
        case DType::bf16: return to_float(element_at<BFloat16>(data, index));
        case DType::f64: return static_cast<float>(element_at<double>(data, index));
        default: return static_cast<float>(load_int(data, type, index));
    }
}

template <typename T>
LOSSMAP_HD inline void put(void* data, std::int64_t index, T value) {
    static_cast<T*>(data)[index] = value;
}

/// Stores an integer, wrapped to the element type; to bool: whether it is not 0.
LOSSMAP_HD inline void store_int(void* data, DType type, std::int64_t index, std::int64_t value) {
    switch (type) {
        case DType::i8: return put(data, index, static_cast<std::int8_t>(value));
        case DType::i16: return put(data, index, static_cast<std::int16_t>(value));
        case DType::i32: return put(data, index, static_cast<std::int32_t>(value));
        case DType::u8: return put(data, index, static_cast<std::uint8_t>(value));
        case DType::u16: return put(data, index, static_cast<std::uint16_t>(value));
        case DType::u32: return put(data, index, static_cast<std::uint32_t>(value));
        case DType::boolean: return put(data, index, static_cast<std::uint8_t>(value != 0));
        default: return put(data, index, value);  // i64, u64
    }
}

/// Stores fp32 as a floating-point element.
LOSSMAP_HD inline void store_float(void* data, DType type, std::int64_t index, float value) {
    switch (type) {
        case DType::f16: return put(data, index, from_float<Half>(value));
        case DType::bf16: return put(data, index, from_float<BFloat16>(value));
        case DType::f64: return put(data, index, static_cast<double>(value));
        default: return put(data, index, value);
    }
}

/// `load<float>` or `load<std::int64_t>`: the type that arithmetic is done in.
template <typename Compute>
LOSSMAP_HD inline Compute load(const void* data, DType type, std::int64_t index);
template <>
LOSSMAP_HD inline float load<float>(const void* data, DType type, std::int64_t index) {
    return load_float(data, type, index);
}
template <>
LOSSMAP_HD inline std::int64_t load<std::int64_t>(const void* data, DType type, std::int64_t index) {
    return load_int(data, type, index);
}
LOSSMAP_HD inline void store(void* data, DType type, std::int64_t index, float value) {
    store_float(data, type, index, value);
}
LOSSMAP_HD inline void store(void* data, DType type, std::int64_t index, std::int64_t value) {
    store_int(data, type, index, value);
}

/// N elements that are read and written as one access of up to 16 bytes; the address has to be a multiple of the size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
    T values[N];
};
/// Elements of T in 16 bytes.
template <typename T>
inline constexpr int kPackSize = 16 / static_cast<int>(sizeof(T));

template <typename T, int N>
LOSSMAP_HD inline void store_packs(void* data, std::int64_t index, const float (&values)[N]) {
    constexpr int kWidth = N < kPackSize<T> ? N : kPackSize<T>;
    LOSSMAP_UNROLL
    for (int begin = 0; begin < N; begin += kWidth) {
        Pack<T, kWidth> pack;
        LOSSMAP_UNROLL
        for (int k = 0; k < kWidth; ++k)
            pack.values[k] = from_float<T>(values[begin + k]);
        *reinterpret_cast<Pack<T, kWidth>*>(static_cast<T*>(data) + index + begin) = pack;
    }
}
template <typename T, int N>
LOSSMAP_HD inline void load_packs(const void* data, std::int64_t index, float (&values)[N]) {
    constexpr int kWidth = N < kPackSize<T> ? N : kPackSize<T>;
    LOSSMAP_UNROLL
    for (int begin = 0; begin < N; begin += kWidth) {
        const auto pack = *reinterpret_cast<const Pack<T, kWidth>*>(static_cast<const T*>(data) + index + begin);
        LOSSMAP_UNROLL
        for (int k = 0; k < kWidth; ++k)
            values[begin + k] = to_float(pack.values[k]);
    }
}

/// N consecutive elements, from `index` on, as accesses of up to 16 bytes; the first address has to be a multiple of
/// the smaller of 16 bytes and N elements.
template <int N>
LOSSMAP_HD inline void store_pack(void* data, DType type, std::int64_t index, const float (&values)[N]) {
    switch (type) {
        case DType::f16: return store_packs<Half, N>(data, index, values);
        case DType::bf16: return store_packs<BFloat16, N>(data, index, values);
        default: return store_packs<float, N>(data, index, values);
    }
}
template <int N>
LOSSMAP_HD inline void load_pack(const void* data, DType type, std::int64_t index, float (&values)[N]) {
    switch (type) {
        case DType::f16: return load_packs<Half, N>(data, index, values);
        case DType::bf16: return load_packs<BFloat16, N>(data, index, values);
        default: return load_packs<float, N>(data, index, values);
    }
}

/// Elements that a thread of a packed kernel handles: 16 bytes of a 16-bit type.
inline constexpr int kPackWidth = 8;

/// Whether an operand can be read or written by packs of kPackWidth elements.
template <typename Operand>
inline bool is_packable(const Operand& operand, std::int64_t count) {
    return is_float_storage(operand.type) && count % kPackWidth == 0 && operand.point_stride % kPackWidth == 0 &&
           reinterpret_cast<std::uintptr_t>(operand.data) % 16 == 0;
}

/// Copies one element of 1, 2, 4, 8 or 16 bytes; indices count elements of that size.
LOSSMAP_HD inline void move_element(void* to, std::int64_t to_index, const void* from, std::int64_t from_index,
                                    int size_bytes) {
    switch (size_bytes) {
        case 1: return put(to, to_index, element_at<std::uint8_t>(from, from_index));
        case 2: return put(to, to_index, element_at<std::uint16_t>(from, from_index));
        case 4: return put(to, to_index, element_at<std::uint32_t>(from, from_index));
        case 8: return put(to, to_index, element_at<std::uint64_t>(from, from_index));
        default: return put(to, to_index, element_at<Pack<std::uint32_t, 4>>(from, from_index));
    }
}

/// Bits of one element of 1, 2, 4 or 8 bytes.
LOSSMAP_HD inline std::uint64_t get_bits(const void* from, std::int64_t index, int size_bytes) {
    switch (size_bytes) {
        case 1: return element_at<std::uint8_t>(from, index);
        case 2: return element_at<std::uint16_t>(from, index);
        case 4: return element_at<std::uint32_t>(from, index);
        default: return element_at<std::uint64_t>(from, index);
    }
}

/// Writes the low bytes of `bits` as one element of 1, 2, 4 or 8 bytes.
LOSSMAP_HD inline void put_bits(void* to, std::int64_t index, std::uint64_t bits, int size_bytes) {
    switch (size_bytes) {
        case 1: return put(to, index, static_cast<std::uint8_t>(bits));
        case 2: return put(to, index, static_cast<std::uint16_t>(bits));
        case 4: return put(to, index, static_cast<std::uint32_t>(bits));
        default: return put(to, index, bits);
    }
}

}  // namespace lossmap::kernels
