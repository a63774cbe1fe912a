#include "graph/graph.hpp"

#include "graph_builder.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(AttributesTest, GettersCheckTypes) {
    Attributes attributes;
    attributes.set("axis", std::int64_t{-1});
    attributes.set("alpha", 0.5);
    attributes.set("pads", std::vector<std::int64_t>{1, 2});
    EXPECT_EQ(attributes.get_int("axis"), -1);
    EXPECT_EQ(attributes.get_int("group", 7), 7);
    EXPECT_EQ(attributes.get_float("alpha", 1.0), 0.5);
    EXPECT_THAT(attributes.get_ints("pads", {}), ElementsAre(1, 2));
    EXPECT_THAT(attributes.get_strings("activations"), IsEmpty());
    EXPECT_EQ(attributes.get_tensor("value"), nullptr);
    EXPECT_EQ(message_of([&] { (void)attributes.get_int("group"); }), "attribute 'group' is missing");
    EXPECT_EQ(message_of([&] { (void)attributes.get_float("axis", 0); }), "attribute 'axis' is not a number");
}

TEST(GraphTest, SortsNodesAndFindsReaders) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    const ValueId first = b.node("Relu", {x});
    const ValueId second = b.node("Add", {first, first});
    b.output(second);
    std::swap(b.graph().nodes[0], b.graph().nodes[1]);
    validate_and_sort(b.graph());
    EXPECT_EQ(b.graph().nodes[0].op_type, "Relu");
    EXPECT_EQ(b.graph().producers()[static_cast<std::size_t>(second)], 1);
    EXPECT_THAT(b.graph().consumers()[static_cast<std::size_t>(first)], ElementsAre(1));
    EXPECT_EQ(b.graph().find("x"), x);
    EXPECT_EQ(b.graph().find("y"), kNoValue);
}

TEST(GraphTest, RefusesBrokenGraphs) {
    GraphBuilder cycle;
    const ValueId a = cycle.node("Relu", {kNoValue});
    const ValueId c = cycle.node("Relu", {a});
    cycle.graph().nodes[0].inputs[0] = c;
    EXPECT_THAT(message_of([&] { validate_and_sort(cycle.graph()); }), HasSubstr("part of a cycle"));

    GraphBuilder orphan;
    Value value;
    value.name = "nowhere";
    orphan.output(orphan.node("Relu", {orphan.graph().add_value(value)}));
    EXPECT_EQ(message_of([&] { validate_and_sort(orphan.graph()); }),
              "Relu 'Relu_0' (opset 17): nothing provides its input 'nowhere'");

    GraphBuilder twice;
    const ValueId x = twice.input("x");
    const ValueId y = twice.node("Relu", {x});
    (void)twice.node("Neg", {x});
    twice.graph().nodes[1].outputs[0] = y;
    EXPECT_THAT(message_of([&] { validate_and_sort(twice.graph()); }), HasSubstr("has two sources"));

    GraphBuilder range;
    (void)range.node("Relu", {99});
    EXPECT_THAT(message_of([&] { validate_and_sort(range.graph()); }), HasSubstr("does not exist"));
}

TEST(GraphTest, DropsDeadNodes) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    const ValueId unused = b.node("Relu", {x});
    (void)b.node("Neg", {unused});
    b.output(b.node("Abs", {x}));
    remove_dead_nodes(b.graph());
    ASSERT_EQ(b.graph().nodes.size(), 1u);
    EXPECT_EQ(b.graph().nodes[0].op_type, "Abs");
}

}  // namespace
}  // namespace lossmap::test
