#include "onnx_import/importer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/onnx_import/refusal.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;

Graph import(const OnnxBuilder& model) {
    const TemporaryDirectory folder;
    model.save(folder / "model.onnx");
    return import_onnx(folder / "model.onnx");
}

TEST(Importer, ReadsASmallModel) {
    const Graph graph = import(small_dense_model());
    EXPECT_EQ(graph.opset, 17);
    EXPECT_EQ(graph.ir_version, 8);
    EXPECT_EQ(graph.producer, "test");
    ASSERT_EQ(graph.nodes.size(), 2U);
    EXPECT_EQ(graph.nodes[0].describe(), "Gemm 'fc' (opset 17)");
    EXPECT_EQ(graph.nodes[0].attributes.get_int("transB"), 1);
    ASSERT_EQ(graph.inputs.size(), 1U);
    const Value& x = graph.value(graph.inputs[0]);
    EXPECT_EQ(x.name, "x");
    EXPECT_EQ(x.kind, ValueKind::input);
    ASSERT_TRUE(x.has_declared);
    ASSERT_EQ(x.declared.size(), 2U);
    EXPECT_EQ(x.declared[0].symbol, "batch");
    EXPECT_EQ(x.declared[0].extent, -1);
    EXPECT_EQ(x.declared[1].extent, 3);
    ASSERT_EQ(graph.initializers.size(), 2U);
    const Value& w = graph.value(graph.initializers[0]);
    EXPECT_EQ(w.kind, ValueKind::constant);
    EXPECT_TRUE(w.is_initializer);
    EXPECT_EQ(*w.shape, (Shape{2, 3}));
    EXPECT_FLOAT_EQ(w.data->as<float>()[5], std::sin(6.0F));
}

TEST(Importer, SortsNodesAndNamesUnnamedOnes) {
    OnnxBuilder model;
    model.input("x", {1}).output("z");
    model.node("Relu", {"y"}, {"z"});
    model.node("Neg", {"x"}, {"y"});
    const Graph graph = import(model);
    EXPECT_EQ(graph.nodes[0].name, "Neg_1");
    EXPECT_EQ(graph.nodes[1].name, "Relu_0");
}

TEST(Importer, InitializersListedAsInputsAreNotFed) {
    OnnxBuilder model = small_dense_model();
    model.input("w", {2, 3}).input("b", {2});
    const Graph graph = import(model);
    EXPECT_EQ(graph.inputs.size(), 1U);
    EXPECT_EQ(graph.initializers.size(), 2U);
}

TEST(Importer, OmittedInputsAndOutputs) {
    OnnxBuilder model;
    model.input("x", {1}).output("y");
    model.node("Clip", {"x", "", "x"}, {"y", ""});
    const Graph graph = import(model);
    EXPECT_TRUE(graph.nodes[0].has_input(0));
    EXPECT_FALSE(graph.nodes[0].has_input(1));
    EXPECT_TRUE(graph.nodes[0].has_input(2));
    EXPECT_FALSE(graph.nodes[0].has_output(1));
}

TEST(Importer, TheDomainAiOnnxIsTheDefaultOne) {
    OnnxBuilder model = small_dense_model();
    model.proto.mutable_opset_import(0)->set_domain("ai.onnx");
    model.graph().mutable_node(1)->set_domain("ai.onnx");
    const Graph graph = import(model);
    EXPECT_EQ(graph.opset, 17);
    EXPECT_EQ(graph.nodes[1].domain, "");
    EXPECT_EQ(graph.nodes[0].opset, 17);
}

TEST(Importer, KeepsNodesOfOtherDomains) {
    OnnxBuilder model = small_dense_model();
    auto& import_ml = *model.proto.add_opset_import();
    import_ml.set_domain("ai.onnx.ml");
    import_ml.set_version(3);
    model.graph().mutable_node(1)->set_domain("ai.onnx.ml");
    model.graph().mutable_node(1)->set_op_type("Scaler");
    const Graph graph = import(model);
    EXPECT_EQ(graph.nodes[1].describe(), "ai.onnx.ml.Scaler 'relu' (opset 3)");
}

TEST(Importer, ConstantNodesBecomeConstants) {
    OnnxBuilder model;
    model.input("x", {1}).output("y");
    add_attribute(model.node("Constant", {}, {"f"}), "value_float", onnx::AttributeProto::FLOAT).set_f(0.5F);
    add_attribute(model.node("Constant", {}, {"i"}), "value_int", onnx::AttributeProto::INT).set_i(-7);
    set_ints(model.node("Constant", {}, {"is"}), "value_ints", {3, 4});
    auto& floats = add_attribute(model.node("Constant", {}, {"fs"}), "value_floats", onnx::AttributeProto::FLOATS);
    floats.add_floats(1.0F);
    auto& tensor = *add_attribute(model.node("Constant", {}, {"t"}), "value", onnx::AttributeProto::TENSOR).mutable_t();
    tensor.set_data_type(onnx::TensorProto::INT32);
    tensor.add_int32_data(9);
    model.node("Sum", {"x", "f"}, {"y"});
    const Graph graph = import(model);
    ASSERT_EQ(graph.nodes.size(), 1U);
    EXPECT_TRUE(graph.initializers.empty());
    EXPECT_FLOAT_EQ(graph.value(graph.find("f")).data->as<float>()[0], 0.5F);
    EXPECT_EQ(graph.value(graph.find("f")).shape, Shape{});
    EXPECT_EQ(graph.value(graph.find("i")).data->as<std::int64_t>()[0], -7);
    EXPECT_THAT(graph.value(graph.find("is")).data->as<std::int64_t>(), ElementsAre(3, 4));
    EXPECT_EQ(graph.value(graph.find("fs")).shape, Shape{1});
    EXPECT_EQ(graph.value(graph.find("t")).data->as<std::int32_t>()[0], 9);
    EXPECT_EQ(graph.value(graph.find("t")).kind, ValueKind::constant);
    EXPECT_FALSE(graph.value(graph.find("t")).is_initializer);
}

TEST(Importer, AttributeTypes) {
    OnnxBuilder model;
    model.input("x", {1}).output("y");
    auto& node = model.node("Relu", {"x"}, {"y"});
    add_attribute(node, "f", onnx::AttributeProto::FLOAT).set_f(0.25F);
    add_attribute(node, "s", onnx::AttributeProto::STRING).set_s("text");
    set_ints(node, "is", {1, -2});
    add_attribute(node, "ss", onnx::AttributeProto::STRINGS).add_strings("a");
    add_attribute(node, "fs", onnx::AttributeProto::FLOATS).add_floats(2.0F);
    add_attribute(node, "untyped", onnx::AttributeProto::UNDEFINED).set_i(3);  // as in IR 1
    const Graph graph = import(model);
    const Attributes& attributes = graph.nodes[0].attributes;
    EXPECT_DOUBLE_EQ(attributes.get_float("f", 0), 0.25);
    EXPECT_EQ(attributes.get_string("s", ""), "text");
    EXPECT_THAT(attributes.get_ints("is", {}), ElementsAre(1, -2));
    EXPECT_THAT(attributes.get_strings("ss"), ElementsAre("a"));
    EXPECT_THAT(attributes.get_floats("fs", {}), ElementsAre(2.0));
    EXPECT_EQ(attributes.get_int("untyped"), 3);
}

TEST(Importer, FloatingTypesAreComputedInFp32) {
    OnnxBuilder model;
    model.input("x", {2}).output("y");
    model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT16);
    set_int(model.node("Cast", {"x"}, {"h"}), "to", onnx::TensorProto::DOUBLE);
    set_int(model.node("Cast", {"h"}, {"y"}), "to", onnx::TensorProto::INT64);
    const Graph graph = import(model);
    EXPECT_EQ(graph.value(graph.inputs[0]).dtype, DType::f32);
    EXPECT_EQ(graph.nodes[0].attributes.get_int("to"), onnx::TensorProto::FLOAT);
    EXPECT_EQ(graph.nodes[1].attributes.get_int("to"), onnx::TensorProto::INT64);
}

TEST(Importer, MetadataOfNewerReleases) {
    OnnxBuilder model = small_dense_model();
    auto& entry = *model.proto.add_metadata_props();
    entry.set_key("lossmap.parameters");
    entry.set_value("[\"w\"]");
    add_metadata(*model.graph().mutable_unknown_fields(), 16, "graph_signature", "text");
    auto& info = *model.graph().add_value_info();
    info.set_name("w");
    add_metadata(*info.mutable_unknown_fields(), 4, "pkg.onnxscript.optimizer.folded_from", "['a']");
    add_metadata(*info.mutable_unknown_fields(), 4, "pkg.torch.onnx.stack_trace", "File ..");
    const Graph graph = import(model);
    EXPECT_EQ(graph.metadata.at("lossmap.parameters"), "[\"w\"]");
    EXPECT_EQ(graph.metadata.at("graph_signature"), "text");
    const auto& metadata = graph.value(graph.find("w")).metadata;
    EXPECT_EQ(metadata.at("pkg.onnxscript.optimizer.folded_from"), "['a']");
    EXPECT_EQ(metadata.size(), 1U);
}

TEST(Importer, SubgraphsNameWhatTheyTakeFromAround) {
    OnnxBuilder model;
    model.input("x", {1}).output("y").weight("c", {});
    OnnxBuilder branch;
    branch.output("inner");
    branch.node("Add", {"x", "c"}, {"inner"}, "add");
    auto& node = model.node("If", {"c"}, {"y"}, "choice");
    *add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g() = branch.graph();
    const Graph graph = import(model);
    const auto inner = graph.nodes[0].attributes.get_graph("then_branch");
    ASSERT_NE(inner, nullptr);
    EXPECT_TRUE(inner->inputs.empty());
    ASSERT_EQ(inner->nodes.size(), 1U);
    EXPECT_EQ(inner->value(inner->nodes[0].inputs[0]).name, "x");
    EXPECT_EQ(inner->value(inner->nodes[0].inputs[0]).kind, ValueKind::input);
    EXPECT_EQ(inner->outputs.size(), 1U);
}

TEST(Importer, ReadsTheReferenceModels) {
    LOSSMAP_REQUIRE_REFERENCE("models/gold_resnet56.onnx");
    const Graph graph = import_onnx(reference_dir() / "models/gold_resnet56.onnx");
    EXPECT_EQ(graph.nodes.size(), 199U);
    EXPECT_EQ(graph.initializers.size(), 173U + 114U);
}

}  // namespace
}  // namespace lossmap::test
