#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/params/graph_sketch.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names_of(const std::vector<Parameter>& segment) {
    std::vector<std::string> names;
    for (const Parameter& parameter : segment)
        names.push_back(parameter.name);
    return names;
}

/// Two convolutions with a batch norm each; initializers in an order other than that of use.
GraphSketch two_layers() {
    GraphSketch sketch;
    for (const char* name : {"bn2.bias", "bn1.weight", "bn1.bias", "bn2.weight", "mean", "variance"})
        sketch.weight(name, {2});
    sketch.weight("conv2.weight", {2, 2, 1, 1});
    sketch.weight("conv1.weight", {2, 3, 1, 1});
    sketch.node("Conv", {"x", "conv1.weight"}, {"a"});
    sketch.node("BatchNormalization", {"a", "bn1.weight", "bn1.bias", "mean", "variance"}, {"b"});
    sketch.node("Conv", {"b", "conv2.weight"}, {"c"});
    sketch.node("BatchNormalization", {"c", "bn2.weight", "bn2.bias", "mean", "variance"}, {"y"});
    return sketch;
}

TEST(Identify, OrderIsThatOfInitializers) {
    GraphSketch sketch = two_layers();
    const ParameterSpace space = sketch.identify();
    EXPECT_THAT(names_of(space.weights),
                ElementsAre("bn2.bias", "bn1.weight", "bn1.bias", "bn2.weight", "conv2.weight", "conv1.weight"));
    EXPECT_THAT(names_of(space.states), ElementsAre("mean", "variance"));
    EXPECT_THAT(space.warnings, IsEmpty());
}

TEST(Identify, TheFilesListDecidesMembershipAndOrder) {
    GraphSketch sketch = two_layers();
    sketch.graph.metadata["lossmap.parameters"] = R"(["conv1.weight", "bn1.weight", "conv2.weight", "lost.weight"])";
    const ParameterSpace space = sketch.identify();
    EXPECT_THAT(names_of(space.weights), ElementsAre("conv1.weight", "bn1.weight", "conv2.weight"));
    EXPECT_THAT(names_of(space.states), ElementsAre("mean", "variance"));
    EXPECT_THAT(constant_reason(space, "bn1.bias"), HasSubstr("not in the file's list of parameters"));
    ASSERT_EQ(space.warnings.size(), 1U);
    EXPECT_THAT(space.warnings[0], HasSubstr("1 of the network's 4 parameters is not in the file"));
    EXPECT_THAT(space.warnings[0], HasSubstr("lost.weight"));
}

TEST(Identify, ListsThatCannotBeReadAreRefused) {
    for (const char* text : {"conv1.weight", "{}", "[1]", R"(["a", "a"])"}) {
        GraphSketch sketch = two_layers();
        sketch.graph.metadata["lossmap.parameters"] = text;
        EXPECT_THROW(static_cast<void>(sketch.identify()), InputError) << text;
    }
}

/// "An exporter stores equal tensors once": the others stand behind Identity and are parameters of their own.
TEST(Identify, TensorsSharedThroughIdentity) {
    GraphSketch sketch;
    sketch.weight("conv2.weight", {2, 2, 1, 1});
    sketch.weight("bias", {2});
    sketch.weight("conv1.weight", {2, 3, 1, 1});
    sketch.node("Identity", {"bias"}, {"conv1.bias"});
    sketch.node("Conv", {"x", "conv1.weight", "conv1.bias"}, {"a"});
    sketch.node("Conv", {"a", "conv2.weight", "bias"}, {"y"});
    const ParameterSpace space = sketch.identify();
    EXPECT_THAT(names_of(space.weights), ElementsAre("conv1.weight", "conv1.bias", "conv2.weight", "bias"));
    EXPECT_EQ(sketch.graph.nodes.size(), 2U) << "the Identity is gone";
    const Value& copy = sketch.graph.value(space.find("conv1.bias")->value);
    EXPECT_EQ(copy.kind, ValueKind::parameter);
    EXPECT_TRUE(copy.is_initializer);
    const StateVector state = read_state(sketch.graph, space);
    EXPECT_EQ(state.weights[6], state.weights[6 + 2 + 4]);
}

TEST(Identify, ALoneIdentityIsARenaming) {
    GraphSketch sketch;
    sketch.weight("second", {2, 2, 1, 1});
    sketch.weight("first", {2, 3, 1, 1});
    sketch.node("Identity", {"first"}, {"alias"});
    sketch.node("Conv", {"x", "alias"}, {"a"});
    sketch.node("Conv", {"a", "second"}, {"y"});
    EXPECT_THAT(names_of(sketch.identify().weights), ElementsAre("second", "first"));
}

TEST(Identify, OneTensorUsedTwiceIsOneParameter) {
    GraphSketch sketch;
    sketch.weight("w", {3, 3});
    sketch.node("MatMul", {"x", "w"}, {"a"});
    sketch.node("MatMul", {"a", "w"}, {"y"});
    EXPECT_THAT(names_of(sketch.identify().weights), ElementsAre("w"));
}

TEST(Identify, IncludeAndExcludeOverride) {
    GraphSketch sketch = two_layers();
    sketch.weight("scalar", {}, 2.0F);
    sketch.node("Mul", {"y", "scalar"}, {"z"});
    const ParameterSpace space = sketch.identify({{"scal*"}, {"bn?.*"}});
    EXPECT_THAT(names_of(space.weights), ElementsAre("conv2.weight", "conv1.weight", "scalar"));
    EXPECT_EQ(constant_reason(space, "bn1.bias"), "excluded by the configuration");
    EXPECT_THAT(space.find("scalar")->reason, HasSubstr("included by the configuration"));
    EXPECT_TRUE(space.find("scalar")->one_dimensional);
}

TEST(Identify, APatternWithoutMatchIsRefused) {
    GraphSketch sketch = two_layers();
    try {
        static_cast<void>(sketch.identify({{}, {"conv1.*", "typo*"}}));
        ADD_FAILURE();
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(), "the parameter exclude pattern 'typo*' matches no initializer");
    }
}

TEST(Identify, ANetworkWithoutParametersIsRefused) {
    GraphSketch sketch;
    sketch.node("Relu", {"x"}, {"y"});
    EXPECT_THROW(static_cast<void>(sketch.identify()), InputError);
}

TEST(Identify, ReadStateGivesTheStoredValues) {
    GraphSketch sketch = two_layers();
    const ParameterSpace space = sketch.identify();
    const StateVector state = read_state(sketch.graph, space);
    ASSERT_EQ(state.weights.size(), static_cast<std::size_t>(space.weights_size()));
    ASSERT_EQ(state.states.size(), 4U);
    const Parameter& parameter = *space.find("conv1.weight");
    const auto stored = sketch.graph.value(parameter.value).data->as<float>();
    for (std::size_t k = 0; k < stored.size(); ++k) {
        EXPECT_EQ(state.weights[static_cast<std::size_t>(parameter.offset) + k], stored[k]);
    }
    sketch.graph.value(parameter.value).data = nullptr;
    EXPECT_THROW(static_cast<void>(read_state(sketch.graph, space)), InputError);
}

TEST(Identify, WeightsReadInsideABranchAreFound) {
    GraphSketch branch;
    Value captured;
    captured.name = "inner.weight";
    captured.kind = ValueKind::input;
    branch.graph.add_value(std::move(captured));
    branch.node("MatMul", {"x", "inner.weight"}, {"r"});
    GraphSketch sketch;
    sketch.anchor();
    sketch.weight("inner.weight", {2, 2});
    sketch.node("If", {"x"}, {"y"}, {{"then_branch", std::make_shared<const Graph>(branch.graph)}});
    EXPECT_NE(sketch.identify().find("inner.weight"), nullptr);
}

}  // namespace
}  // namespace lossmap::test
