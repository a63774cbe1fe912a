#pragma once

#include <map>
#include <string>

#include <onnx/onnx_pb.h>

#include "core/tensor.hpp"
#include "onnx_import/external_data.hpp"

namespace lossmap::onnx_import {

/// Turns TensorProtos into tensors: raw bytes, typed fields or external data; little-endian as the format demands.
/// fp16, bf16 and fp64 are converted to fp32 and counted.
class TensorReader {
public:
    explicit TensorReader(ExternalData external) : external_(std::move(external)) {}

    /// The stored size is compared with the shape before memory is taken. Throws InputError, and UnsupportedError for
    /// element types lossmap does not read; the message does not name the tensor.
    [[nodiscard]] Tensor read(const onnx::TensorProto& proto);

    /// Tensors converted to fp32, by the name of their stored type.
    [[nodiscard]] const std::map<std::string, int>& converted() const { return converted_; }

private:
    ExternalData external_;
    std::map<std::string, int> converted_;
};

}  // namespace lossmap::onnx_import
