#include "onnx_import/metadata.hpp"

#include <onnx/onnx_pb.h>

namespace lossmap::onnx_import {
namespace {

bool is_debugging_aid(const std::string& key) {
    return key.find("stack_trace") != std::string::npos || key.find("fx_node") != std::string::npos ||
           key.find("name_scopes") != std::string::npos || key.find("class_hierarchy") != std::string::npos;
}

}  // namespace

void read_metadata(const google::protobuf::UnknownFieldSet& fields, int field_number,
                   std::map<std::string, std::string>& metadata) {
    for (int index = 0; index < fields.field_count(); ++index) {
        const google::protobuf::UnknownField& field = fields.field(index);
        if (field.number() != field_number || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
            continue;
        onnx::StringStringEntryProto entry;
        if (!entry.ParseFromString(field.length_delimited()) || is_debugging_aid(entry.key())) continue;
        metadata[entry.key()] = entry.value();
    }
}

std::string unknown_text(const google::protobuf::UnknownFieldSet& fields, int field_number) {
    for (int index = 0; index < fields.field_count(); ++index) {
        const google::protobuf::UnknownField& field = fields.field(index);
        if (field.number() == field_number && field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
            return field.length_delimited();
        }
    }
    return "";
}

}  // namespace lossmap::onnx_import
