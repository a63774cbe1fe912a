#include "io/array_bytes.hpp"

#include <cstring>
#include <limits>

namespace lossmap {

namespace {

template <typename From>
void widen(std::span<const std::byte> bytes, std::span<float> values, float (*convert)(From)) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        From element;
        std::memcpy(&element, bytes.data() + i * sizeof(From), sizeof(From));
        values[i] = convert(element);
    }
}

// The first 2^24 integers, the bound of the message, are fp32 numbers; larger ones only if they happen to be.
template <typename From>
void convert_integers(const std::string& source, std::span<const std::byte> bytes, std::int64_t first,
                      std::span<float> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        From element;
        std::memcpy(&element, bytes.data() + i * sizeof(From), sizeof(From));
        values[i] = static_cast<float>(element);
        constexpr double kRepresentable = 16777216.0;
        const auto exact = static_cast<double>(element);
        if ((exact > kRepresentable || exact < -kRepresentable) && static_cast<double>(values[i]) != exact) {
            throw InputError("{}: element {} is {}, which fp32 cannot hold exactly", source,
                             first + static_cast<std::int64_t>(i), element);
        }
    }
}

}  // namespace

void ArrayBytes::release(std::span<const std::byte> part) const noexcept {
    if (file) file->release(part);
}

Tensor ArrayBytes::to_tensor() const {
    if (dtype == DType::f16 || dtype == DType::bf16) return to_float32(*this);
    Tensor tensor(dtype, shape);
    if (!bytes.empty()) std::memcpy(tensor.data(), bytes.data(), bytes.size());
    return tensor;
}

Tensor to_float32(const ArrayBytes& array) {
    Tensor tensor(DType::f32, array.shape);
    copy_float32(array, 0, tensor.as<float>());
    return tensor;
}

void copy_float32(const ArrayBytes& array, std::int64_t first, std::span<float> values) {
    const std::size_t element_bytes = size_of(array.dtype);
    const auto begin = static_cast<std::size_t>(first) * element_bytes;
    if (first < 0 || begin > array.bytes.size() || values.size() > (array.bytes.size() - begin) / element_bytes)
        throw InternalError("{}: elements {} to {} are not there", array.source, first,
                            static_cast<std::size_t>(first) + values.size());
    const std::span<const std::byte> bytes = array.bytes.subspan(begin, values.size() * element_bytes);
    const auto round_to_float = [](double value) { return static_cast<float>(value); };
    const auto integers = [&]<typename From>(From) { convert_integers<From>(array.source, bytes, first, values); };
    switch (array.dtype) {
        case DType::f32:
            if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
            break;
        case DType::f64: widen<double>(bytes, values, round_to_float); break;
        case DType::f16: widen<std::uint16_t>(bytes, values, half_to_float); break;
        case DType::bf16: widen<std::uint16_t>(bytes, values, bfloat16_to_float); break;
        case DType::i8: integers(std::int8_t{}); break;
        case DType::i16: integers(std::int16_t{}); break;
        case DType::i32: integers(std::int32_t{}); break;
        case DType::i64: integers(std::int64_t{}); break;
        case DType::u8:
        case DType::boolean: integers(std::uint8_t{}); break;
        case DType::u16: integers(std::uint16_t{}); break;
        case DType::u32: integers(std::uint32_t{}); break;
        case DType::u64: integers(std::uint64_t{}); break;
    }
}

std::size_t checked_size_bytes(DType dtype, const Shape& shape, const std::string& source) {
    const auto count = static_cast<std::size_t>(with_context(source, [&] { return element_count(shape); }));
    if (count > std::numeric_limits<std::size_t>::max() / 2 / size_of(dtype)) {
        throw InputError("{}: shape {} is too large", source, to_string(shape));
    }
    return count * size_of(dtype);
}

}  // namespace lossmap
