#include "onnx_import/tensor_reader.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "core/dtype.hpp"
#include "core/error.hpp"
#include "onnx_import/element_type.hpp"

namespace lossmap::onnx_import {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX stores raw data in little-endian order");

/// Extents of a tensor; its size in bytes is known to fit.
Shape checked_shape(const onnx::TensorProto& proto, std::size_t element_bytes) {
    Shape shape(proto.dims().begin(), proto.dims().end());
    const std::int64_t count = element_count(shape);
    if (count > std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(element_bytes)) {
        throw InputError("the shape {} is too large", to_string(shape));
    }
    return shape;
}

bool has_typed_data(const onnx::TensorProto& proto) {
    return proto.float_data_size() > 0 || proto.int32_data_size() > 0 || proto.int64_data_size() > 0 ||
           proto.double_data_size() > 0 || proto.uint64_data_size() > 0 || proto.string_data_size() > 0;
}

template <typename Stored, typename Field>
void narrow(const Field& field, Tensor& tensor) {
    if (field.size() != tensor.count()) {
        throw InputError("it has {} values, its shape {} needs {}", field.size(), to_string(tensor.shape()),
                         tensor.count());
    }
    auto* target = static_cast<Stored*>(tensor.data());
    for (int index = 0; index < field.size(); ++index) {
        const auto value = field.Get(index);
        const auto stored = static_cast<Stored>(value);
        if constexpr (std::is_integral_v<Stored> && !std::is_same_v<Stored, bool>) {
            if (static_cast<decltype(value)>(stored) != value)
                throw InputError("the value {} does not fit its type", value);
        }
        target[index] = stored;
    }
}

void read_typed(const onnx::TensorProto& proto, Tensor& tensor) {
    switch (tensor.dtype()) {
        case DType::f32: return narrow<float>(proto.float_data(), tensor);
        case DType::f64: return narrow<double>(proto.double_data(), tensor);
        case DType::f16:
        case DType::bf16:
        case DType::u16: return narrow<std::uint16_t>(proto.int32_data(), tensor);
        case DType::i8: return narrow<std::int8_t>(proto.int32_data(), tensor);
        case DType::u8: return narrow<std::uint8_t>(proto.int32_data(), tensor);
        case DType::i16: return narrow<std::int16_t>(proto.int32_data(), tensor);
        case DType::i32: return narrow<std::int32_t>(proto.int32_data(), tensor);
        case DType::boolean: return narrow<bool>(proto.int32_data(), tensor);
        case DType::i64: return narrow<std::int64_t>(proto.int64_data(), tensor);
        case DType::u32: return narrow<std::uint32_t>(proto.uint64_data(), tensor);
        case DType::u64: return narrow<std::uint64_t>(proto.uint64_data(), tensor);
    }
    throw InternalError("element type without a field");
}

/// How many values the typed field of `dtype` holds.
std::int64_t typed_count(const onnx::TensorProto& proto, DType dtype) {
    switch (dtype) {
        case DType::f32: return proto.float_data_size();
        case DType::f64: return proto.double_data_size();
        case DType::i64: return proto.int64_data_size();
        case DType::u32:
        case DType::u64: return proto.uint64_data_size();
        default: return proto.int32_data_size();
    }
}

void check_stored_size(const onnx::TensorProto& proto, const ExternalData& external, DType dtype, const Shape& shape) {
    const std::int64_t count = element_count(shape);
    const std::int64_t size_bytes = count * static_cast<std::int64_t>(size_of(dtype));
    if (proto.data_location() == onnx::TensorProto::EXTERNAL) return external.check(proto, size_bytes);
    if (proto.has_raw_data() && !(proto.raw_data().empty() && has_typed_data(proto))) {
        if (static_cast<std::int64_t>(proto.raw_data().size()) != size_bytes) {
            throw InputError("it has {} bytes, its shape {} needs {}", proto.raw_data().size(), to_string(shape),
                             size_bytes);
        }
        return;
    }
    if (typed_count(proto, dtype) != count) {
        throw InputError("it has {} values, its shape {} needs {}", typed_count(proto, dtype), to_string(shape), count);
    }
}

Tensor to_float(const Tensor& stored) {
    Tensor result(DType::f32, stored.shape());
    const auto target = result.as<float>();
    for (std::size_t index = 0; index < target.size(); ++index) {
        if (stored.dtype() == DType::f64) {
            target[index] = static_cast<float>(static_cast<const double*>(stored.data())[index]);
        } else {
            const std::uint16_t bits = static_cast<const std::uint16_t*>(stored.data())[index];
            target[index] = stored.dtype() == DType::f16 ? half_to_float(bits) : bfloat16_to_float(bits);
        }
    }
    return result;
}

/// Any non-zero byte is true; elements hold 0 or 1.
void normalize_booleans(Tensor& tensor) {
    auto* bytes = static_cast<unsigned char*>(tensor.data());
    for (std::int64_t index = 0; index < tensor.count(); ++index)
        bytes[index] = bytes[index] != 0 ? 1 : 0;
}

}  // namespace

Tensor TensorReader::read(const onnx::TensorProto& proto) {
    const std::optional<DType> dtype = stored_type(proto.data_type());
    if (!dtype) {
        throw UnsupportedError("the element type {} is not supported", element_type_name(proto.data_type()));
    }
    if (proto.has_segment()) throw UnsupportedError("tensors in segments are not supported");
    const Shape shape = checked_shape(proto, size_of(*dtype));
    check_stored_size(proto, external_, *dtype, shape);
    Tensor stored(*dtype, shape);
    if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
        external_.read(proto, {static_cast<std::byte*>(stored.data()), stored.size_bytes()});
    } else if (proto.has_raw_data() && !proto.raw_data().empty()) {
        std::memcpy(stored.data(), proto.raw_data().data(), stored.size_bytes());
    } else if (stored.count() > 0) {
        read_typed(proto, stored);
    }
    if (*dtype == DType::boolean) normalize_booleans(stored);
    if (!is_floating_point(*dtype) || *dtype == DType::f32) return stored;
    ++converted_[element_type_name(proto.data_type())];
    return to_float(stored);
}

}  // namespace lossmap::onnx_import
