#include "onnx_import/node_reader.hpp"

#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "onnx_import/element_type.hpp"
#include "onnx_import/metadata.hpp"

namespace lossmap::onnx_import {
namespace {

/// Files before IR 2 leave the type out; the field that is set tells it.
onnx::AttributeProto::AttributeType type_of(const onnx::AttributeProto& attribute) {
    using Proto = onnx::AttributeProto;
    if (attribute.type() != Proto::UNDEFINED) return attribute.type();
    if (attribute.has_f()) return Proto::FLOAT;
    if (attribute.has_i()) return Proto::INT;
    if (attribute.has_s()) return Proto::STRING;
    if (attribute.has_t()) return Proto::TENSOR;
    if (attribute.has_g()) return Proto::GRAPH;
    if (attribute.floats_size() > 0) return Proto::FLOATS;
    if (attribute.strings_size() > 0) return Proto::STRINGS;
    return attribute.ints_size() > 0 ? Proto::INTS : Proto::UNDEFINED;
}

Attribute read_attribute(const onnx::AttributeProto& attribute, TensorReader& tensors,
                         const SubgraphReader& read_subgraph) {
    switch (type_of(attribute)) {
        case onnx::AttributeProto::FLOAT: return static_cast<double>(attribute.f());
        case onnx::AttributeProto::INT: return static_cast<std::int64_t>(attribute.i());
        case onnx::AttributeProto::STRING: return attribute.s();
        case onnx::AttributeProto::TENSOR: return std::make_shared<const Tensor>(tensors.read(attribute.t()));
        case onnx::AttributeProto::GRAPH: return read_subgraph(attribute.g());
        case onnx::AttributeProto::FLOATS:
            return std::vector<double>(attribute.floats().begin(), attribute.floats().end());
        case onnx::AttributeProto::INTS:
            return std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end());
        case onnx::AttributeProto::STRINGS:
            return std::vector<std::string>(attribute.strings().begin(), attribute.strings().end());
        case onnx::AttributeProto::UNDEFINED: return std::vector<std::int64_t>{};  // an empty list tells no type
        default: break;
    }
    throw UnsupportedError("it has the type {}, which is not supported",
                           onnx::AttributeProto::AttributeType_Name(attribute.type()));
}

bool names_element_type(const std::string& name) { return name == "to" || name == "dtype" || name == "output_dtype"; }

/// 1 (FLOAT) for the types that are computed in fp32.
std::int64_t computed_element_type(std::int64_t onnx_type) {
    const std::optional<DType> dtype = stored_type(static_cast<std::int32_t>(onnx_type));
    return dtype && is_floating_point(*dtype) ? std::int64_t{onnx::TensorProto::FLOAT} : onnx_type;
}

Tensor floats_tensor(const onnx::AttributeProto& attribute) {
    const std::vector<float> values(attribute.floats().begin(), attribute.floats().end());
    return Tensor::from<float>(values, {attribute.floats_size()});
}

Tensor ints_tensor(const onnx::AttributeProto& attribute) {
    const std::vector<std::int64_t> values(attribute.ints().begin(), attribute.ints().end());
    return Tensor::from<std::int64_t>(values, {attribute.ints_size()});
}

}  // namespace

Attributes read_attributes(const onnx::NodeProto& node, TensorReader& tensors, const SubgraphReader& read_subgraph) {
    Attributes attributes;
    for (const onnx::AttributeProto& attribute : node.attribute()) {
        with_context(fmt::format("attribute {}", printable(attribute.name())), [&] {
            if (attribute.name().empty()) throw InputError("an attribute needs a name");
            if (!attribute.ref_attr_name().empty())
                throw InputError("it refers to a function's attribute outside a function");
            if (attributes.has(attribute.name())) throw InputError("it is given twice");
            Attribute value = read_attribute(attribute, tensors, read_subgraph);
            if (auto* number = std::get_if<std::int64_t>(&value);
                number != nullptr && names_element_type(attribute.name())) {
                *number = computed_element_type(*number);
            }
            attributes.set(attribute.name(), std::move(value));
        });
    }
    return attributes;
}

Tensor read_constant(const onnx::NodeProto& node, TensorReader& tensors) {
    if (node.attribute_size() != 1) {
        throw InputError("a Constant has exactly one attribute, this one has {}", node.attribute_size());
    }
    const onnx::AttributeProto& attribute = node.attribute(0);
    return with_context(fmt::format("attribute {}", printable(attribute.name())), [&]() -> Tensor {
        if (attribute.name() == "value" && attribute.has_t()) return tensors.read(attribute.t());
        if (attribute.name() == "value_float") return Tensor::scalar<float>(attribute.f());
        if (attribute.name() == "value_int") return Tensor::scalar<std::int64_t>(attribute.i());
        if (attribute.name() == "value_floats") return floats_tensor(attribute);
        if (attribute.name() == "value_ints") return ints_tensor(attribute);
        if (attribute.name() == "value_string" || attribute.name() == "value_strings") {
            throw UnsupportedError("text constants are not supported");
        }
        if (attribute.name() == "sparse_value") throw UnsupportedError("sparse constants are not supported");
        throw InputError("a Constant has no such attribute");
    });
}

void read_declaration(const onnx::ValueInfoProto& info, Value& value) {
    read_metadata(info.unknown_fields(), kValueInfoMetadataField, value.metadata);
    if (!info.has_type() || !info.type().has_tensor_type()) return;
    const onnx::TypeProto_Tensor& type = info.type().tensor_type();
    const std::optional<DType> dtype = stored_type(type.elem_type());
    if (!dtype) return;
    value.dtype = computed_type(*dtype);
    if (!type.has_shape()) return;
    value.has_declared = true;
    value.declared.clear();
    for (const onnx::TensorShapeProto_Dimension& proto : type.shape().dim()) {
        Dimension dimension;
        // Old exporters write -1 for "unknown".
        if (proto.has_dim_value() && proto.dim_value() >= 0) dimension.extent = proto.dim_value();
        if (proto.has_dim_param()) dimension.symbol = proto.dim_param();
        value.declared.push_back(std::move(dimension));
    }
}

}  // namespace lossmap::onnx_import
