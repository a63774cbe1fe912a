#include "plan/value_classes.hpp"

#include <gtest/gtest.h>

namespace lossmap {
namespace {

class ValueClasses : public ::testing::Test {
protected:
    ValueId value(ValueKind kind) {
        Value value;
        value.name = std::to_string(graph_.values.size());
        value.kind = kind;
        return graph_.add_value(std::move(value));
    }
    ValueId node(std::vector<ValueId> inputs) {
        Node node;
        node.op_type = "Add";
        node.inputs = std::move(inputs);
        node.outputs = {value(ValueKind::computed)};
        graph_.nodes.push_back(node);
        return node.outputs[0];
    }
    ValueClass of(ValueId id) const { return classify(graph_)[static_cast<std::size_t>(id)]; }

    Graph graph_;
};

TEST_F(ValueClasses, JoinWhatTheyAreComputedFrom) {
    const ValueId x = value(ValueKind::input);
    const ValueId w = value(ValueKind::parameter);
    const ValueId c = value(ValueKind::constant);
    const ValueId w_only = node({w, c});
    const ValueId x_only = node({x, c});
    const ValueId both = node({w_only, x_only});
    const ValueId constant = node({c, kNoValue});
    const ValueId from_both = node({both, c});
    EXPECT_EQ(of(x), ValueClass::samples);
    EXPECT_EQ(of(w), ValueClass::theta);
    EXPECT_EQ(of(c), ValueClass::constant);
    EXPECT_EQ(of(w_only), ValueClass::theta);
    EXPECT_EQ(of(x_only), ValueClass::samples);
    EXPECT_EQ(of(both), ValueClass::both);
    EXPECT_EQ(of(constant), ValueClass::constant);
    EXPECT_EQ(of(from_both), ValueClass::both);
}

TEST_F(ValueClasses, HaveNames) {
    EXPECT_STREQ(name_of(ValueClass::theta), "theta");
    EXPECT_TRUE(depends_on_samples(ValueClass::both));
    EXPECT_FALSE(depends_on_samples(ValueClass::theta));
}

}  // namespace
}  // namespace lossmap
