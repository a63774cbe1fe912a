#include "graph/operator_table.hpp"

#include <algorithm>

#include "graph_builder.hpp"

namespace lossmap::test {
namespace {

using ::testing::HasSubstr;

TEST(OperatorTableTest, IsSortedWithoutRepeatsAndComplete) {
    const auto table = operator_table();
    EXPECT_GT(table.size(), 150u);
    for (std::size_t k = 0; k < table.size(); ++k) {
        const OperatorInfo& info = table[k];
        EXPECT_EQ(find_operator(info.domain, info.name), &info);
        EXPECT_TRUE(k == 0 || std::pair(table[k - 1].domain, table[k - 1].name) < std::pair(info.domain, info.name))
            << info.name;
        EXPECT_EQ(info.infer == nullptr, info.run == nullptr) << info.name;
        EXPECT_TRUE(info.infer != nullptr || !info.note.empty()) << info.name;
        EXPECT_LE(info.min_opset, info.max_opset) << info.name;
    }
    EXPECT_EQ(find_operator("", "Foo"), nullptr);
    EXPECT_EQ(find_operator("ai.onnx.ml", "Conv"), nullptr);
}

Node node_of(const std::string& type, std::int64_t opset, std::size_t inputs) {
    Node node;
    node.op_type = type;
    node.name = "n";
    node.opset = opset;
    node.inputs.assign(inputs, 0);
    node.outputs = {1};
    return node;
}

TEST(OperatorTableTest, SaysWhyNot) {
    EXPECT_EQ(why_unsupported(node_of("Relu", 13, 1)), "");
    Node foreign = node_of("TreeEnsemble", 5, 1);
    foreign.domain = "ai.onnx.ml";
    EXPECT_EQ(why_unsupported(foreign),
              "operator 'TreeEnsemble' of domain 'ai.onnx.ml' is not supported; see docs/operators.md");
    EXPECT_EQ(why_unsupported(node_of("Relu", 99, 1)),
              "operator 'Relu' is supported in operator sets 1 to 28, the model uses 99");
    EXPECT_EQ(why_unsupported(node_of("LayerNormalization", 13, 2)),
              "operator 'LayerNormalization' is supported in operator sets 17 to 28, the model uses 13");
    EXPECT_EQ(why_unsupported(node_of("Conv", 13, 1)), "it has 1 inputs, at least 2 are needed");
    EXPECT_EQ(why_unsupported(node_of("Relu", 13, 2)), "it has 2 inputs, at most 1 are supported");
    Node training = node_of("BatchNormalization", 15, 5);
    training.attributes.set("training_mode", std::int64_t{1});
    EXPECT_EQ(why_unsupported(training), "training mode is not supported");
    training.attributes.set("training_mode", 1.0);
    EXPECT_EQ(why_unsupported(training), "attribute 'training_mode' is not an integer");
}

TEST(OperatorTableTest, AllUnsupportedNodesAreNamedAtOnce) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    b.output(b.node("Foo", {b.node("Bar", {b.node("Relu", {x})})}));
    EXPECT_EQ(
        message_of([&] { require_supported(b.graph()); }),
        "2 nodes are not supported: Bar 'Bar_1' (opset 17): operator 'Bar' of domain 'ai.onnx' is not supported; see "
        "docs/operators.md; Foo 'Foo_2' (opset 17): operator 'Foo' of domain 'ai.onnx' is not supported; see "
        "docs/operators.md");
    EXPECT_THAT(message_of([&] { (void)specialize(b.graph(), {{"x", {1}}}); }), HasSubstr("Bar 'Bar_1'"));
}

}  // namespace
}  // namespace lossmap::test
