#include "data/decoding.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.hpp"

namespace lossmap {

namespace {

template <typename From, typename To, typename Convert>
void convert_all(std::span<const std::byte> row, std::span<To> values, Convert convert) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        From element;
        std::memcpy(&element, row.data() + i * sizeof(From), sizeof(From));
        values[i] = convert(element);
    }
}

template <typename From, typename To>
void cast_all(std::span<const std::byte> row, std::span<To> values) {
    convert_all<From>(row, values, [](From element) { return static_cast<To>(element); });
}

template <typename To>
bool cast_integers(DType dtype, std::span<const std::byte> row, std::span<To> values) {
    switch (dtype) {
        case DType::i8: cast_all<std::int8_t>(row, values); return true;
        case DType::i16: cast_all<std::int16_t>(row, values); return true;
        case DType::i32: cast_all<std::int32_t>(row, values); return true;
        case DType::i64: cast_all<std::int64_t>(row, values); return true;
        case DType::u8:
        case DType::boolean: cast_all<std::uint8_t>(row, values); return true;
        case DType::u16: cast_all<std::uint16_t>(row, values); return true;
        case DType::u32: cast_all<std::uint32_t>(row, values); return true;
        case DType::u64: cast_all<std::uint64_t>(row, values); return true;
        default: return false;
    }
}

bool convert_floats(DType dtype, std::span<const std::byte> row, std::span<float> values) {
    switch (dtype) {
        case DType::f32:
            if (!row.empty()) std::memcpy(values.data(), row.data(), row.size());
            return true;
        case DType::f64: cast_all<double>(row, values); return true;
        case DType::f16: convert_all<std::uint16_t>(row, values, half_to_float); return true;
        case DType::bf16: convert_all<std::uint16_t>(row, values, bfloat16_to_float); return true;
        default: return false;
    }
}

ByteTable byte_table(const std::vector<float>& mean, const std::vector<float>& std) {
    const std::size_t channels = std::max<std::size_t>(1, mean.size());
    ByteTable table{static_cast<std::int64_t>(channels), std::vector<float>(channels * ByteTable::kEntries)};
    for (std::size_t i = 0; i < table.values.size(); ++i) {
        const std::size_t channel = i / ByteTable::kEntries;
        const float scaled = static_cast<float>(i % ByteTable::kEntries) / 255.0f;
        table.values[i] = mean.empty() ? scaled : (scaled - mean[channel]) / std[channel];
    }
    return table;
}

}  // namespace

InputDecoder::InputDecoder(DType dtype, std::vector<float> mean, std::vector<float> std)
    : dtype_(dtype), mean_(std::move(mean)), std_(std::move(std)) {
    if (!accepts(dtype)) throw InternalError("inputs of type {} cannot be decoded", name_of(dtype));
    if (mean_.size() != std_.size()) throw InternalError("{} means for {} deviations", mean_.size(), std_.size());
    if (dtype_ == DType::u8) table_ = std::make_shared<const ByteTable>(byte_table(mean_, std_));
}

bool InputDecoder::accepts(DType dtype) {
    return dtype == DType::u8 || dtype == DType::boolean || is_floating_point(dtype);
}

void InputDecoder::decode(std::span<const std::byte> row, std::span<float> values) const {
    if (table_ != nullptr) {
        table_->decode(row, values);
    } else {
        convert(row, values);
    }
}

void InputDecoder::convert(std::span<const std::byte> row, std::span<float> values) const {
    if (dtype_ == DType::boolean) {
        cast_all<std::uint8_t>(row, values);
    } else {
        convert_floats(dtype_, row, values);
    }
    if (mean_.empty()) return;
    const std::size_t size = values.size() / mean_.size();
    for (std::size_t channel = 0; channel < mean_.size(); ++channel) {
        for (float& value : values.subspan(channel * size, size))
            value = (value - mean_[channel]) / std_[channel];
    }
}

void decode_integers(DType dtype, std::span<const std::byte> row, std::span<std::int64_t> values,
                     const std::string& source) {
    if (!cast_integers(dtype, row, values)) throw InternalError("{} read as integers", name_of(dtype));
    // Only unsigned numbers of 64 bits can wrap around.
    if (dtype == DType::u64 &&
        std::any_of(values.begin(), values.end(), [](std::int64_t value) { return value < 0; })) {
        throw InputError("{}: holds a number above {}", source, std::numeric_limits<std::int64_t>::max());
    }
}

void decode_numbers(DType dtype, std::span<const std::byte> row, std::span<float> values) {
    if (!convert_floats(dtype, row, values) && !cast_integers(dtype, row, values)) {
        throw InternalError("{} read as numbers", name_of(dtype));
    }
}

}  // namespace lossmap
