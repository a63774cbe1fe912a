#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/dtype.hpp"

namespace lossmap::onnx_import {

/// Element type of a TensorProto / TypeProto as the file stores it; nullopt for those lossmap does not read (strings,
/// complex numbers, float8, int4, ..).
[[nodiscard]] std::optional<DType> stored_type(std::int32_t onnx_type);

/// What lossmap computes with in place of a stored type: fp16, bf16 and fp64 become fp32.
[[nodiscard]] DType computed_type(DType stored);

/// "FLOAT16", "INT4", ..; "type 99" for unknown numbers.
[[nodiscard]] std::string element_type_name(std::int32_t onnx_type);

/// A name from the file, fit for a message: in quotes, without control characters, at most 120 bytes.
[[nodiscard]] std::string printable(const std::string& name);

}  // namespace lossmap::onnx_import
