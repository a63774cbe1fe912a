#include <fmt/format.h>
#include <gtest/gtest.h>

#include "onnx_import/importer.hpp"
#include "tests/onnx_import/refusal.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

/// Function local.Scaled(a, b) -> c: d = LeakyRelu(a, alpha = @slope); c = Add(d, b), in opset 16.
onnx::FunctionProto scaled_function() {
    onnx::FunctionProto function;
    function.set_domain("local");
    function.set_name("Scaled");
    function.add_input("a");
    function.add_input("b");
    function.add_output("c");
    function.add_attribute("slope");
    auto& import = *function.add_opset_import();
    import.set_domain("");
    import.set_version(16);
    auto& leaky = *function.add_node();
    leaky.set_op_type("LeakyRelu");
    leaky.add_input("a");
    leaky.add_output("d");
    auto& alpha = *leaky.add_attribute();
    alpha.set_name("alpha");
    alpha.set_type(onnx::AttributeProto::FLOAT);
    alpha.set_ref_attr_name("slope");
    auto& add = *function.add_node();
    add.set_op_type("Add");
    add.add_input("d");
    add.add_input("b");
    add.add_output("c");
    return function;
}

OnnxBuilder calling_model() {
    OnnxBuilder model;
    model.input("x", {2}).output("y").weight("w", {2});
    *model.proto.add_functions() = scaled_function();
    auto& import = *model.proto.add_opset_import();
    import.set_domain("local");
    import.set_version(1);
    for (const auto& [from, to] : {std::pair{"x", "m"}, std::pair{"m", "y"}}) {
        auto& call = model.node("Scaled", {from, "w"}, {to}, fmt::format("call_{}", to));
        call.set_domain("local");
    }
    add_attribute(*model.graph().mutable_node(0), "slope", onnx::AttributeProto::FLOAT).set_f(0.5F);
    return model;
}

Graph import(const OnnxBuilder& model) {
    const TemporaryDirectory folder;
    model.save(folder / "model.onnx");
    return import_onnx(folder / "model.onnx");
}

void expect_model_refused(const OnnxBuilder& model, const std::string& part) {
    const TemporaryDirectory folder;
    model.save(folder / "model.onnx");
    expect_refused(folder / "model.onnx", part);
}

TEST(Functions, CallsAreInlined) {
    const Graph graph = import(calling_model());
    ASSERT_EQ(graph.nodes.size(), 4U);
    EXPECT_EQ(graph.nodes[0].op_type, "LeakyRelu");
    EXPECT_EQ(graph.nodes[0].opset, 16);
    EXPECT_EQ(graph.nodes[0].name, "call_m/LeakyRelu");
    EXPECT_DOUBLE_EQ(graph.nodes[0].attributes.get_float("alpha", 0.01), 0.5);
    EXPECT_FALSE(graph.nodes[2].attributes.has("alpha")) << "an attribute that the call leaves out has the default";
    EXPECT_EQ(graph.value(graph.nodes[1].inputs[1]).name, "w");
    EXPECT_EQ(graph.value(graph.nodes[1].outputs[0]).name, "m");
    EXPECT_NE(graph.nodes[0].outputs[0], graph.nodes[2].outputs[0]) << "inner names are a call's own";
    EXPECT_EQ(graph.nodes[1].inputs[0], graph.nodes[0].outputs[0]);
}

TEST(Functions, DefaultAttributes) {
    OnnxBuilder model = calling_model();
    onnx::AttributeProto fallback;
    fallback.set_name("slope");
    fallback.set_type(onnx::AttributeProto::FLOAT);
    fallback.set_f(0.75F);
    onnx::FunctionProto& function = *model.proto.mutable_functions(0);
    function.clear_attribute();
    function.mutable_unknown_fields()->AddLengthDelimited(11, fallback.SerializeAsString());  // attribute_proto
    const Graph graph = import(model);
    EXPECT_DOUBLE_EQ(graph.nodes[0].attributes.get_float("alpha", 0), 0.5);
    EXPECT_DOUBLE_EQ(graph.nodes[2].attributes.get_float("alpha", 0), 0.75);
}

TEST(Functions, WithinFunctions) {
    OnnxBuilder model = calling_model();
    onnx::FunctionProto outer;
    outer.set_domain("local");
    outer.set_name("Twice");
    outer.add_input("p");
    outer.add_output("q");
    auto& call = *outer.add_node();
    call.set_op_type("Scaled");
    call.set_domain("local");
    call.add_input("p");
    call.add_input("p");
    call.add_output("q");
    *model.proto.add_functions() = outer;
    model.graph().mutable_node(1)->set_op_type("Twice");
    model.graph().mutable_node(1)->mutable_input()->RemoveLast();
    const Graph graph = import(model);
    ASSERT_EQ(graph.nodes.size(), 4U);
    EXPECT_EQ(graph.nodes[3].inputs[1], graph.find("m"));
}

TEST(Functions, OmittedArguments) {
    OnnxBuilder model = calling_model();
    model.graph().mutable_node(0)->mutable_input()->RemoveLast();
    const Graph graph = import(model);
    EXPECT_FALSE(graph.nodes[1].has_input(1));
}

TEST(Functions, RecursionIsRefused) {
    OnnxBuilder model = calling_model();
    auto& node = *model.proto.mutable_functions(0)->mutable_node(1);
    node.set_op_type("Scaled");
    node.set_domain("local");
    expect_model_refused(model, "calls itself");
}

TEST(Functions, ExponentialExpansionIsRefused) {
    OnnxBuilder model = calling_model();
    std::string callee = "Scaled";
    for (int level = 0; level < 24; ++level) {
        onnx::FunctionProto function;
        function.set_domain("local");
        function.set_name(fmt::format("Level{}", level));
        function.add_input("a");
        function.add_output("c");
        for (const auto& [from, to] : {std::pair{"a", "b"}, std::pair{"b", "c"}}) {
            auto& call = *function.add_node();
            call.set_op_type(callee);
            call.set_domain("local");
            call.add_input(from);
            call.add_output(to);
        }
        callee = function.name();
        *model.proto.add_functions() = function;
    }
    model.graph().mutable_node(1)->set_op_type(callee);
    model.graph().mutable_node(1)->mutable_input()->RemoveLast();
    expect_model_refused(model, "too large");
}

TEST(Functions, TooManyArgumentsAreRefused) {
    OnnxBuilder model = calling_model();
    model.graph().mutable_node(0)->add_input("x");
    expect_model_refused(model, "the call has 3 inputs, the function takes 2");
}

TEST(Functions, DefinedTwiceAreRefused) {
    OnnxBuilder model = calling_model();
    *model.proto.add_functions() = scaled_function();
    expect_model_refused(model, "the function 'Scaled' is defined twice");
}

}  // namespace
}  // namespace lossmap::test
