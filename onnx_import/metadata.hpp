#pragma once

#include <map>
#include <string>

#include <google/protobuf/unknown_field_set.h>

namespace lossmap::onnx_import {

// Field numbers of `metadata_props` (and of other fields) that came after the ONNX release whose protobuf classes are
// used here: onnx.proto, IR 10 and later. They arrive as unknown fields.
inline constexpr int kValueInfoMetadataField = 4;
inline constexpr int kTensorMetadataField = 16;
inline constexpr int kGraphMetadataField = 16;
inline constexpr int kNodeOverloadField = 8;
inline constexpr int kFunctionOverloadField = 13;
inline constexpr int kFunctionAttributeDefaultsField = 11;

/// Adds the key / value pairs that are stored as StringStringEntryProto under `field_number`. Stack traces and the like
/// are left out: they can be half of a file and nothing reads them.
void read_metadata(const google::protobuf::UnknownFieldSet& fields, int field_number,
                   std::map<std::string, std::string>& metadata);

/// The text stored under `field_number`, "" when there is none.
[[nodiscard]] std::string unknown_text(const google::protobuf::UnknownFieldSet& fields, int field_number);

}  // namespace lossmap::onnx_import
