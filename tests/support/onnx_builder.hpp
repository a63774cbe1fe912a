#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

namespace lossmap::test {

/// Writes small ONNX files, right or wrong ones. `proto` is open for whatever the helpers below do not do.
class OnnxBuilder {
public:
    explicit OnnxBuilder(std::int64_t opset = 17, std::int64_t ir_version = 8);

    /// fp32 input or output; a negative extent becomes the symbol "batch".
    OnnxBuilder& input(const std::string& name, const std::vector<std::int64_t>& dims);
    OnnxBuilder& output(const std::string& name, const std::vector<std::int64_t>& dims = {});
    /// fp32 initializer; distinct values when none are given.
    OnnxBuilder& weight(const std::string& name, const std::vector<std::int64_t>& dims, std::vector<float> values = {});
    OnnxBuilder& ints(const std::string& name, const std::vector<std::int64_t>& dims,
                      const std::vector<std::int64_t>& values);
    onnx::NodeProto& node(const std::string& op_type, const std::vector<std::string>& inputs,
                          const std::vector<std::string>& outputs, const std::string& name = "");

    [[nodiscard]] onnx::GraphProto& graph() { return *proto.mutable_graph(); }
    [[nodiscard]] std::string bytes() const { return proto.SerializeAsString(); }
    void save(const std::filesystem::path& file) const;

    onnx::ModelProto proto;
};

void set_int(onnx::NodeProto& node, const std::string& name, std::int64_t value);
void set_ints(onnx::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values);
onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                    onnx::AttributeProto::AttributeType type);

/// Adds the pair as `metadata_props` of a newer ONNX release would stand in the file, under `field_number`.
void add_metadata(google::protobuf::UnknownFieldSet& fields, int field_number, const std::string& key,
                  const std::string& value);

/// x [batch, 3] -> Gemm (w [2, 3], transB=1, b [2]) -> Relu -> y.
[[nodiscard]] OnnxBuilder small_dense_model();

}  // namespace lossmap::test
