#include "onnx_import/element_type.hpp"

#include <array>

#include <fmt/format.h>

namespace lossmap::onnx_import {
namespace {

// TensorProto.DataType of the current ONNX release; the generated classes of older releases know only the first 17.
constexpr std::array<const char*, 27> kTypeNames = {
    "UNDEFINED", "FLOAT",      "UINT8",      "INT8",         "UINT16",         "INT16",      "INT32",
    "INT64",     "STRING",     "BOOL",       "FLOAT16",      "DOUBLE",         "UINT32",     "UINT64",
    "COMPLEX64", "COMPLEX128", "BFLOAT16",   "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
    "UINT4",     "INT4",       "FLOAT4E2M1", "FLOAT8E8M0",   "UINT2",          "INT2"};

}  // namespace

std::optional<DType> stored_type(std::int32_t onnx_type) {
    switch (onnx_type) {
        case 1: return DType::f32;
        case 2: return DType::u8;
        case 3: return DType::i8;
        case 4: return DType::u16;
        case 5: return DType::i16;
        case 6: return DType::i32;
        case 7: return DType::i64;
        case 9: return DType::boolean;
        case 10: return DType::f16;
        case 11: return DType::f64;
        case 12: return DType::u32;
        case 13: return DType::u64;
        case 16: return DType::bf16;
        default: return std::nullopt;
    }
}

DType computed_type(DType stored) { return is_floating_point(stored) ? DType::f32 : stored; }

std::string element_type_name(std::int32_t onnx_type) {
    if (onnx_type < 0 || onnx_type >= static_cast<std::int32_t>(kTypeNames.size()))
        return fmt::format("type {}", onnx_type);
    return kTypeNames[static_cast<std::size_t>(onnx_type)];
}

std::string printable(const std::string& name) {
    constexpr std::size_t kLongest = 120;
    std::string text = name.size() > kLongest ? name.substr(0, kLongest) + ".." : name;
    for (char& character : text) {
        if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) character = '?';
    }
    return "'" + text + "'";
}

}  // namespace lossmap::onnx_import
