#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <onnx/onnx_pb.h>

namespace lossmap::onnx_import {

/// Version of each operator set by domain; "ai.onnx" is "".
using Opsets = std::map<std::string, std::int64_t>;

/// Reads and parses a model file. Throws InputError (without the file's name) when it is missing, not a regular file,
/// larger than protobuf's 2 GiB, truncated, or not an ONNX model.
[[nodiscard]] onnx::ModelProto read_model(const std::filesystem::path& file);

/// "" for "ai.onnx".
[[nodiscard]] std::string canonical_domain(const std::string& domain);

/// Operator sets of a model or function. Throws InputError on a version below 1 and on a domain named twice.
[[nodiscard]] Opsets read_opsets(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports);

}  // namespace lossmap::onnx_import
