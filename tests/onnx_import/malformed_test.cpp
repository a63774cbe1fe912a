#include <fstream>

#include <gtest/gtest.h>

#include "onnx_import/importer.hpp"
#include "tests/onnx_import/refusal.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

void expect_bytes_refused(const std::string& bytes, const std::string& part) {
    const TemporaryDirectory folder;
    write_file(folder / "model.onnx", bytes);
    expect_refused(folder / "model.onnx", part);
}

void expect_model_refused(const OnnxBuilder& model, const std::string& part) {
    expect_bytes_refused(model.bytes(), part);
}

TEST(Malformed, MissingFolderOrEmpty) {
    const TemporaryDirectory folder;
    expect_refused(folder / "absent.onnx", "there is no such file");
    expect_refused(folder.path(), "not a regular file");
    expect_bytes_refused("", "the file is empty");
}

TEST(Malformed, NotOnnx) {
    expect_bytes_refused("This is text, not a network.\n", "not an ONNX file");
    expect_bytes_refused(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), "ONNX");
    expect_bytes_refused(std::string(64, '\0'), "not an ONNX file");
}

TEST(Malformed, LargerThanProtobufAllows) {
    const TemporaryDirectory folder;
    { std::ofstream(folder / "model.onnx", std::ios::binary) << 'x'; }
    std::filesystem::resize_file(folder / "model.onnx", std::uintmax_t{1} << 31);  // sparse: takes no space
    expect_refused(folder / "model.onnx", "more than the 2 GiB of a protobuf message");
}

/// Every prefix of a valid file is refused with one sentence or, where only metadata is cut off, accepted; none
/// crashes.
TEST(Malformed, TruncatedAtEveryByte) {
    OnnxBuilder model = small_dense_model();
    add_metadata(*model.graph().mutable_unknown_fields(), 16, "graph_signature", "text");
    const std::string whole = model.bytes();
    const TemporaryDirectory folder;
    const auto file = folder / "model.onnx";
    for (std::size_t length = 0; length < whole.size(); ++length) {
        write_file(file, whole.substr(0, length));
        expect_refused(file, "");
    }
    write_file(file, whole);
    EXPECT_NO_THROW(static_cast<void>(import_onnx(file)));
}

/// Every single byte replaced: refused as an input error or read, never a crash or another kind of error.
TEST(Malformed, DamagedAtEveryByte) {
    const std::string whole = small_dense_model().bytes();
    const TemporaryDirectory folder;
    const auto file = folder / "model.onnx";
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const char damage : {'\0', '\x7f', '\xff'}) {
            std::string bytes = whole;
            bytes[at] = damage;
            write_file(file, bytes);
            try {
                static_cast<void>(import_onnx(file));
            } catch (const InputError& error) {
                EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
            }
        }
    }
}

TEST(Malformed, VersionsAndOperatorSets) {
    OnnxBuilder model = small_dense_model();
    model.proto.set_ir_version(0);
    expect_model_refused(model, "the IR version is 0");
    model = small_dense_model();
    model.proto.clear_opset_import();
    expect_model_refused(model, "names no operator set");
    model = small_dense_model();
    model.proto.mutable_opset_import(0)->set_version(0);
    expect_model_refused(model, "operator set 'ai.onnx' has version 0");
    model = small_dense_model();
    auto& again = *model.proto.add_opset_import();
    again.set_domain("ai.onnx");
    again.set_version(13);
    expect_model_refused(model, "operator set 'ai.onnx' is imported twice");
    model = small_dense_model();
    model.graph().mutable_node(0)->set_domain("com.example");
    expect_model_refused(model, "does not import the operator set 'com.example'");
    model = small_dense_model();
    model.proto.clear_graph();
    expect_model_refused(model, "no graph");
}

TEST(Malformed, NamesDefinedTwice) {
    OnnxBuilder model = small_dense_model();
    model.weight("w", {1});
    expect_model_refused(model, "the value 'w' is defined twice");
    model = small_dense_model();
    model.graph().mutable_node(1)->set_output(0, "h");
    expect_model_refused(model, "the value 'h' is defined twice");
    model = small_dense_model();
    model.graph().mutable_node(1)->set_output(0, "w");
    expect_model_refused(model, "the value 'w' is defined twice");
    model = small_dense_model();
    model.input("x", {1});
    expect_model_refused(model, "the input 'x' is listed twice");
    model = small_dense_model();
    model.graph().mutable_node(0)->mutable_attribute()->Add()->CopyFrom(model.graph().node(0).attribute(0));
    expect_model_refused(model, "attribute 'transB': it is given twice");
}

TEST(Malformed, DanglingNames) {
    OnnxBuilder model = small_dense_model();
    model.graph().mutable_node(0)->set_input(1, "nowhere");
    expect_model_refused(model, "Gemm 'fc': it reads 'nowhere', which nothing provides");
    model = small_dense_model();
    model.graph().mutable_output(0)->set_name("nowhere");
    expect_model_refused(model, "the graph output 'nowhere' is computed by no node");
    model = small_dense_model();
    model.graph().clear_output();
    expect_model_refused(model, "the graph has no output");
    model = small_dense_model();
    model.graph().mutable_initializer(0)->set_name("");
    expect_model_refused(model, "a value has no name");
    model = small_dense_model();
    model.graph().mutable_node(1)->set_op_type("");
    expect_model_refused(model, "the node names no operator");
}

TEST(Malformed, Cycles) {
    OnnxBuilder model = small_dense_model();
    model.graph().mutable_node(0)->set_input(0, "y");
    expect_model_refused(model, "is part of a cycle");
}

TEST(Malformed, NamesWithControlCharactersAreMadeFitForAMessage) {
    OnnxBuilder model = small_dense_model();
    model.graph().mutable_node(0)->set_input(1, "two\nlines" + std::string(1000, 'x'));
    expect_model_refused(model, "it reads 'two?lines");
}

TEST(Malformed, ConstantsAndAttributesThatCannotBeRead) {
    OnnxBuilder model = small_dense_model();
    add_attribute(model.node("Constant", {}, {"c"}), "value_string", onnx::AttributeProto::STRING).set_s("text");
    expect_model_refused(model, "text constants are not supported");
    model = small_dense_model();
    model.node("Constant", {}, {"c"});
    expect_model_refused(model, "a Constant has exactly one attribute, this one has 0");
    model = small_dense_model();
    add_attribute(*model.graph().mutable_node(1), "t", onnx::AttributeProto::TYPE_PROTO);
    expect_model_refused(model, "Relu 'relu': attribute 't': it has the type TYPE_PROTO, which is not supported");
    model = small_dense_model();
    add_attribute(*model.graph().mutable_node(1), "a", onnx::AttributeProto::INT).set_ref_attr_name("b");
    expect_model_refused(model, "refers to a function's attribute outside a function");
}

TEST(Malformed, InputsThatAreNoNumericTensors) {
    OnnxBuilder model = small_dense_model();
    model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::STRING);
    expect_model_refused(model, "the input 'x' has element type STRING, which is not supported");
    model = small_dense_model();
    model.graph().mutable_input(0)->mutable_type()->mutable_sequence_type();
    expect_model_refused(model, "the input 'x' is not a tensor");
}

/// Subgraphs nested deeper than the parser's limit: refused, the stack does not overflow.
TEST(Malformed, DeepNesting) {
    onnx::GraphProto inner = small_dense_model().graph();
    for (int depth = 0; depth < 150; ++depth) {
        OnnxBuilder around = small_dense_model();
        *add_attribute(*around.graph().mutable_node(1), "body", onnx::AttributeProto::GRAPH).mutable_g() = inner;
        inner = around.graph();
    }
    OnnxBuilder model = small_dense_model();
    *model.proto.mutable_graph() = inner;
    expect_model_refused(model, "not an ONNX file, or it is truncated or damaged");
}

}  // namespace
}  // namespace lossmap::test
