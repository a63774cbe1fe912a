#include "tests/support/onnx_builder.hpp"

#include <cmath>
#include <functional>
#include <numeric>

#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

void declare(onnx::ValueInfoProto& info, const std::string& name, const std::vector<std::int64_t>& dims) {
    info.set_name(name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : dims) {
        auto& dimension = *type.mutable_shape()->add_dim();
        if (extent < 0)
            dimension.set_dim_param("batch");
        else
            dimension.set_dim_value(extent);
    }
}

}  // namespace

OnnxBuilder::OnnxBuilder(std::int64_t opset, std::int64_t ir_version) {
    proto.set_ir_version(ir_version);
    proto.set_producer_name("test");
    proto.mutable_graph()->set_name("graph");
    auto& import = *proto.add_opset_import();
    import.set_domain("");
    import.set_version(opset);
}

OnnxBuilder& OnnxBuilder::input(const std::string& name, const std::vector<std::int64_t>& dims) {
    declare(*graph().add_input(), name, dims);
    return *this;
}

OnnxBuilder& OnnxBuilder::output(const std::string& name, const std::vector<std::int64_t>& dims) {
    declare(*graph().add_output(), name, dims);
    return *this;
}

OnnxBuilder& OnnxBuilder::weight(const std::string& name, const std::vector<std::int64_t>& dims,
                                 std::vector<float> values) {
    const std::int64_t count = std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>{});
    if (values.empty()) {
        for (std::int64_t index = 0; index < count; ++index)
            values.push_back(std::sin(static_cast<float>(index) + 1.0F));
    }
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : dims)
        tensor.add_dims(extent);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
    return *this;
}

OnnxBuilder& OnnxBuilder::ints(const std::string& name, const std::vector<std::int64_t>& dims,
                               const std::vector<std::int64_t>& values) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT64);
    for (const std::int64_t extent : dims)
        tensor.add_dims(extent);
    for (const std::int64_t value : values)
        tensor.add_int64_data(value);
    return *this;
}

onnx::NodeProto& OnnxBuilder::node(const std::string& op_type, const std::vector<std::string>& inputs,
                                   const std::vector<std::string>& outputs, const std::string& name) {
    onnx::NodeProto& node = *graph().add_node();
    node.set_op_type(op_type);
    node.set_name(name);
    for (const std::string& input : inputs)
        node.add_input(input);
    for (const std::string& output : outputs)
        node.add_output(output);
    return node;
}

void OnnxBuilder::save(const std::filesystem::path& file) const { write_file(file, bytes()); }

onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                    onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
}

void set_int(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
    add_attribute(node, name, onnx::AttributeProto::INT).set_i(value);
}

void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::AttributeProto& attribute = add_attribute(node, name, onnx::AttributeProto::INTS);
    for (const std::int64_t value : values)
        attribute.add_ints(value);
}

void add_metadata(google::protobuf::UnknownFieldSet& fields, int field_number, const std::string& key,
                  const std::string& value) {
    onnx::StringStringEntryProto entry;
    entry.set_key(key);
    entry.set_value(value);
    fields.AddLengthDelimited(field_number, entry.SerializeAsString());
}

OnnxBuilder small_dense_model() {
    OnnxBuilder model;
    model.input("x", {-1, 3}).weight("w", {2, 3}).weight("b", {2});
    set_int(model.node("Gemm", {"x", "w", "b"}, {"h"}, "fc"), "transB", 1);
    model.node("Relu", {"h"}, {"y"}, "relu");
    model.output("y", {-1, 2});
    return model;
}

}  // namespace lossmap::test
