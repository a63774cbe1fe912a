#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include <onnx/onnx_pb.h>

namespace lossmap::onnx_import {

/// Reads tensors that a model keeps in files beside it. A location must lie inside the model's folder: relative,
/// without
/// "..", and not a symbolic link that leads out of it.
class ExternalData {
public:
    explicit ExternalData(std::filesystem::path folder);

    /// Checks that the entry of `tensor` names a readable range of exactly `size_bytes` bytes. Call before allocating.
    /// Throws InputError.
    void check(const onnx::TensorProto& tensor, std::int64_t size_bytes) const;

    /// Fills `bytes` from the tensor's range; checks again. Throws InputError.
    void read(const onnx::TensorProto& tensor, std::span<std::byte> bytes) const;

    struct Range {
        std::filesystem::path file;
        std::int64_t offset = 0;
    };
    /// Where the `size_bytes` bytes of the tensor lie; the range is inside the file. Throws InputError.
    [[nodiscard]] Range locate(const onnx::TensorProto& tensor, std::int64_t size_bytes) const;

private:
    std::filesystem::path folder_;
};

}  // namespace lossmap::onnx_import
