#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/params/graph_sketch.hpp"

namespace lossmap::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What a test expects of a parameter.
void expect_filters(const Parameter* parameter, Role role, int axis, const FilterLayout& layout) {
    ASSERT_NE(parameter, nullptr);
    EXPECT_STREQ(name_of(parameter->role), name_of(role)) << parameter->name;
    EXPECT_EQ(parameter->filter_axis, axis) << parameter->name;
    EXPECT_FALSE(parameter->one_dimensional) << parameter->name;
    EXPECT_EQ(parameter->filters.outer, layout.outer) << parameter->name;
    EXPECT_EQ(parameter->filters.count, layout.count) << parameter->name;
    EXPECT_EQ(parameter->filters.inner, layout.inner) << parameter->name;
    EXPECT_FALSE(parameter->reason.empty());
}

void expect_1d(const Parameter* parameter, Role role) {
    ASSERT_NE(parameter, nullptr);
    EXPECT_STREQ(name_of(parameter->role), name_of(role)) << parameter->name;
    EXPECT_TRUE(parameter->one_dimensional) << parameter->name;
    EXPECT_EQ(parameter->filter_axis, -1) << parameter->name;
}

const std::int64_t kOn = 1;

TEST(Roles, ConvolutionAndItsTransposed) {
    GraphSketch sketch;
    sketch.weight("conv.weight", {4, 3, 5, 5});
    sketch.weight("conv.bias", {4}, 0.0F);
    sketch.weight("up.weight", {4, 6, 2, 2});
    sketch.node("Conv", {"x", "conv.weight", "conv.bias"}, {"a"});
    sketch.node("ConvTranspose", {"a", "up.weight"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("conv.weight"), Role::filter_weight, 0, {1, 4, 75});
    expect_1d(space.find("conv.bias"), Role::bias);
    expect_filters(space.find("up.weight"), Role::filter_weight, 0, {1, 4, 24});
    EXPECT_EQ(space.find("conv.weight")->reason, "weight of Conv 'a'");
    EXPECT_EQ(space.weights_size(), 4 * 75 + 4 + 4 * 24);
    EXPECT_EQ(space.weights[1].offset, 300);
    EXPECT_EQ(sketch.graph.value(space.weights[0].value).kind, ValueKind::parameter);
}

TEST(Roles, BatchNormalization) {
    GraphSketch sketch;
    sketch.anchor();
    for (const char* name : {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"})
        sketch.weight(name, {2}, 1.0F);
    sketch.node("BatchNormalization", {"anchored", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_1d(space.find("bn.weight"), Role::norm_scale);
    expect_1d(space.find("bn.bias"), Role::norm_shift);
    ASSERT_EQ(space.states.size(), 2U);
    EXPECT_EQ(space.states[0].role, Role::running_mean);
    EXPECT_EQ(space.states[1].role, Role::running_variance);
    EXPECT_EQ(space.states[1].offset, 2);
    EXPECT_EQ(space.states_size(), 4);
    for (const Parameter& state : space.states)
        EXPECT_TRUE(state.batch_norm);
    EXPECT_TRUE(space.find("bn.weight")->batch_norm);
    EXPECT_TRUE(space.find("bn.weight")->norm);
}

TEST(Roles, OtherNormalisations) {
    GraphSketch sketch;
    sketch.anchor();
    std::string from = "anchored";
    for (const std::string op :
         {"LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization"}) {
        sketch.weight(op + ".weight", {2});
        sketch.weight(op + ".bias", {2});
        sketch.node(op, {from, op + ".weight", op + ".bias"}, {op});
        from = op;
    }
    const ParameterSpace space = sketch.identify();
    for (const std::string op :
         {"LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization"}) {
        expect_1d(space.find(op + ".weight"), Role::norm_scale);
        expect_1d(space.find(op + ".bias"), Role::norm_shift);
        EXPECT_TRUE(space.find(op + ".bias")->norm);
        EXPECT_FALSE(space.find(op + ".bias")->batch_norm);
    }
}

/// Below opset 21: Reshape -> InstanceNormalization with scale 1 -> Reshape -> Mul, Add with [C, 1, 1].
TEST(Roles, GroupNormWrittenOut) {
    GraphSketch sketch;
    sketch.weight("conv.weight", {4, 3, 1, 1});
    sketch.weight("val_1", {2}, 1.0F);
    sketch.weight("val_2", {2}, 0.0F);
    sketch.weight("val_3", {4, 1, 1});
    sketch.weight("val_4", {4, 1, 1});
    sketch.ints("groups", {0, 2, -1});
    sketch.node("Conv", {"x", "conv.weight"}, {"a"});
    sketch.node("Reshape", {"a", "groups"}, {"b"});
    sketch.node("InstanceNormalization", {"b", "val_1", "val_2"}, {"c"});
    sketch.node("Shape", {"a"}, {"s"});
    sketch.node("Reshape", {"c", "s"}, {"d"});
    sketch.node("Mul", {"d", "val_3"}, {"e"});
    sketch.node("Add", {"e", "val_4"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_1d(space.find("val_3"), Role::norm_scale);
    expect_1d(space.find("val_4"), Role::norm_shift);
    EXPECT_TRUE(space.find("val_3")->norm);
    EXPECT_THAT(constant_reason(space, "val_1"), HasSubstr("written by the exporter for a normalisation"));
    EXPECT_THAT(constant_reason(space, "val_2"), HasSubstr("written by the exporter for a normalisation"));
}

/// Layer norm of opset 16 and older.
TEST(Roles, LayerNormWrittenOut) {
    GraphSketch sketch;
    sketch.anchor();
    sketch.weight("norm.weight", {2}, 1.0F);
    sketch.weight("norm.bias", {2}, 0.0F);
    sketch.constant("two", {}, 2.0F);
    sketch.constant("epsilon", {}, 1e-5F);
    sketch.node("ReduceMean", {"anchored"}, {"mean"});
    sketch.node("Sub", {"anchored", "mean"}, {"centred"});
    sketch.node("Pow", {"centred", "two"}, {"square"});
    sketch.node("ReduceMean", {"square"}, {"variance"});
    sketch.node("Add", {"variance", "epsilon"}, {"safe"});
    sketch.node("Sqrt", {"safe"}, {"deviation"});
    sketch.node("Div", {"centred", "deviation"}, {"normal"});
    sketch.node("Mul", {"normal", "norm.weight"}, {"scaled"});
    sketch.node("Add", {"scaled", "norm.bias"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_1d(space.find("norm.weight"), Role::norm_scale);
    expect_1d(space.find("norm.bias"), Role::norm_shift);
    EXPECT_EQ(constant_reason(space, "two"), "setting of Pow 'square'");
    EXPECT_THAT(constant_reason(space, "epsilon"), HasSubstr("a single number"));
}

TEST(Roles, DenseLayers) {
    GraphSketch sketch;
    sketch.weight("a.weight", {4, 3});
    sketch.weight("a.bias", {4});
    sketch.weight("b.kernel", {4, 5});
    sketch.weight("onnx::MatMul_12", {5, 6});
    sketch.weight("c.bias", {6});
    sketch.node("Gemm", {"x", "a.weight", "a.bias"}, {"a"}, {{"transB", kOn}});
    sketch.node("Gemm", {"a", "b.kernel"}, {"b"});
    sketch.node("MatMul", {"b", "onnx::MatMul_12"}, {"m"});
    sketch.node("Add", {"c.bias", "m"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("a.weight"), Role::filter_weight, 0, {1, 4, 3});
    expect_filters(space.find("b.kernel"), Role::filter_weight, 1, {4, 5, 1});
    expect_filters(space.find("onnx::MatMul_12"), Role::filter_weight, 1, {5, 6, 1});
    expect_1d(space.find("a.bias"), Role::bias);
    expect_1d(space.find("c.bias"), Role::bias);
    EXPECT_EQ(space.find("c.bias")->reason, "bias, added by Add 'y'");
}

TEST(Roles, ABiasOfOneOutputIsNoScalarConstant) {
    GraphSketch sketch;
    sketch.weight("w", {3, 1});
    sketch.weight("fc.bias", {1});
    sketch.node("MatMul", {"x", "w"}, {"m"});
    sketch.node("Add", {"m", "fc.bias"}, {"y"});
    expect_1d(sketch.identify().find("fc.bias"), Role::bias);
}

/// The filter axis is that of the tensor as stored, whatever lies between it and its use.
TEST(Roles, WeightsBehindLayoutOperators) {
    GraphSketch sketch;
    sketch.weight("qkv.weight", {6, 3});
    sketch.weight("conv1d.weight", {4, 6});
    sketch.ints("axes", {2});
    sketch.node("Cast", {"qkv.weight"}, {"cast"});
    sketch.node("Identity", {"cast"}, {"same"});
    sketch.node("Transpose", {"same"}, {"turned"}, {{"perm", std::vector<std::int64_t>{1, 0}}});
    sketch.node("MatMul", {"x", "turned"}, {"m"});
    sketch.node("Unsqueeze", {"conv1d.weight", "axes"}, {"kernel"});
    sketch.node("Conv", {"m", "kernel"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("qkv.weight"), Role::filter_weight, 0, {1, 6, 3});
    expect_filters(space.find("conv1d.weight"), Role::filter_weight, 0, {1, 4, 6});
}

TEST(Roles, EmbeddingTablesAndTies) {
    GraphSketch sketch;
    sketch.weight("embed.weight", {10, 4});
    sketch.node("Gather", {"embed.weight", "x"}, {"e"});
    sketch.node("Transpose", {"embed.weight"}, {"t"}, {{"perm", std::vector<std::int64_t>{1, 0}}});
    sketch.node("MatMul", {"e", "t"}, {"y"});
    const ParameterSpace space = sketch.identify();
    ASSERT_EQ(space.weights.size(), 1U);
    expect_filters(&space.weights[0], Role::filter_weight, 0, {1, 10, 4});
}

TEST(Roles, ATieLostByTransposingIsReported) {
    GraphSketch sketch;
    const Value& table = sketch.weight("embed.weight", {3, 2});
    const auto v = table.data->as<float>();
    const std::vector<float> turned = {v[0], v[2], v[4], v[1], v[3], v[5]};
    sketch.weight("val_9", {2, 3}).data = std::make_shared<const Tensor>(Tensor::from<float>(turned, {2, 3}));
    sketch.node("Gather", {"embed.weight", "x"}, {"e"});
    sketch.node("MatMul", {"e", "val_9"}, {"y"});
    const ParameterSpace space = sketch.identify();
    ASSERT_EQ(space.warnings.size(), 1U);
    EXPECT_THAT(space.warnings[0], HasSubstr("'embed.weight' and 'val_9' hold the same values"));
}

TEST(Roles, RecurrentLayers) {
    GraphSketch sketch;
    sketch.weight("onnx::LSTM_1", {2, 8, 3});
    sketch.weight("onnx::LSTM_2", {2, 8, 2});
    sketch.weight("onnx::LSTM_3", {2, 16});
    sketch.weight("onnx::LSTM_4", {2, 1, 2}, 0.0F);
    sketch.node("LSTM", {"x", "onnx::LSTM_1", "onnx::LSTM_2", "onnx::LSTM_3", "", "onnx::LSTM_4"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("onnx::LSTM_1"), Role::filter_weight, 1, {1, 16, 3});
    expect_filters(space.find("onnx::LSTM_2"), Role::filter_weight, 1, {1, 16, 2});
    expect_1d(space.find("onnx::LSTM_3"), Role::bias);
    EXPECT_THAT(constant_reason(space, "onnx::LSTM_4"), HasSubstr("initial state"));
}

/// torch's own [G*H, in], sliced into gates and put together again in ONNX's order.
TEST(Roles, RecurrentWeightsPackedInTheGraph) {
    GraphSketch sketch;
    sketch.weight("rnn.weight_ih_l0", {6, 3});
    sketch.weight("rnn.weight_hh_l0", {6, 2});
    sketch.ints("axis", {0});
    sketch.ints("two", {2});
    for (const std::string name : {"ih", "hh"}) {
        sketch.node("Slice", {"rnn.weight_" + name + "_l0", "axis", "two"}, {name + "_a"});
        sketch.node("Slice", {"rnn.weight_" + name + "_l0", "two", "axis"}, {name + "_b"});
        sketch.node("Concat", {name + "_b", name + "_a"}, {name + "_joined"});
        sketch.node("Unsqueeze", {name + "_joined", "axis"}, {name});
    }
    sketch.node("GRU", {"x", "ih", "hh"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("rnn.weight_ih_l0"), Role::filter_weight, 0, {1, 6, 3});
    expect_filters(space.find("rnn.weight_hh_l0"), Role::filter_weight, 0, {1, 6, 2});
}

TEST(Roles, OtherTrainableTensors) {
    GraphSketch sketch;
    sketch.weight("conv.weight", {4, 3, 1, 1});
    sketch.weight("gamma", {4, 1, 1}, 1e-6F);  // layer scale at its initialisation
    sketch.weight("cls_token", {1, 1, 4});
    sketch.weight("pos_embed", {1, 9, 4});
    sketch.weight("onnx::PRelu_3", {4, 1, 1}, 0.25F);
    sketch.weight("mix", {2, 4, 5});
    sketch.node("Conv", {"x", "conv.weight"}, {"a"});
    sketch.node("PRelu", {"a", "onnx::PRelu_3"}, {"b"});
    sketch.node("Mul", {"gamma", "b"}, {"c"});
    sketch.node("Shape", {"x"}, {"s"});
    sketch.node("Expand", {"cls_token", "s"}, {"token"});
    sketch.node("Concat", {"token", "c"}, {"d"});
    sketch.node("Add", {"d", "pos_embed"}, {"e"});
    sketch.node("Einsum", {"e", "mix"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("gamma"), Role::other, 0, {1, 4, 1});
    expect_filters(space.find("cls_token"), Role::other, 0, {1, 1, 4});
    expect_filters(space.find("pos_embed"), Role::other, 0, {1, 1, 36});
    expect_filters(space.find("mix"), Role::filter_weight, 0, {1, 2, 20});
    expect_1d(space.find("onnx::PRelu_3"), Role::other);
}

/// weight = g * v / |v|, computed in the graph.
/// Relative positions that a small network turns into a table: layers that no sample enters are layers all the same.
TEST(Roles, LayersThatNoSampleEnters) {
    GraphSketch sketch;
    sketch.anchor();
    sketch.weight("positions", {6, 2});
    sketch.weight("fc1.weight", {5, 2});
    sketch.weight("fc1.bias", {5});
    sketch.weight("onnx::MatMul_12", {5, 3});
    sketch.weight("fc3.weight", {4, 3});
    sketch.weight("fc3.bias", {4});
    sketch.ints("index", {0, 3, 5});
    sketch.node("Transpose", {"fc1.weight"}, {"turned"});
    sketch.node("MatMul", {"positions", "turned"}, {"a"});
    sketch.node("Add", {"a", "fc1.bias"}, {"b"});
    sketch.node("Relu", {"b"}, {"c"});
    sketch.node("MatMul", {"c", "onnx::MatMul_12"}, {"d"});
    sketch.node("Gemm", {"d", "fc3.weight", "fc3.bias"}, {"e"}, {{"transB", kOn}});
    sketch.node("Gather", {"e", "index"}, {"table"});
    sketch.node("Add", {"anchored", "table"}, {"y"});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("fc1.weight"), Role::filter_weight, 0, {1, 5, 2});
    expect_filters(space.find("onnx::MatMul_12"), Role::filter_weight, 1, {5, 3, 1});
    expect_filters(space.find("fc3.weight"), Role::filter_weight, 0, {1, 4, 3});
    EXPECT_EQ(space.find("fc1.bias")->role, Role::bias);
    EXPECT_EQ(space.find("fc3.bias")->role, Role::bias);
}

/// W = A B of two tensors with names of their own: both as PyTorch holds them.
TEST(Roles, WeightThatIsAProduct) {
    GraphSketch sketch;
    sketch.weight("lora_b", {4, 2});
    sketch.weight("lora_a", {2, 3});
    sketch.node("MatMul", {"lora_b", "lora_a"}, {"w"});
    sketch.node("Gemm", {"x", "w"}, {"y"}, {{"transB", kOn}});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("lora_b"), Role::filter_weight, 0, {1, 4, 2});
    expect_filters(space.find("lora_a"), Role::filter_weight, 0, {1, 2, 3});
}

TEST(Roles, WeightNormalisation) {
    GraphSketch sketch;
    sketch.weight("g", {4, 1});
    sketch.weight("v", {4, 3});
    sketch.node("Cast", {"v"}, {"cast"});
    sketch.node("ReduceL2", {"cast"}, {"norm"});
    sketch.node("Div", {"g", "norm"}, {"ratio"});
    sketch.node("Mul", {"v", "ratio"}, {"w"});
    sketch.node("Gemm", {"x", "w"}, {"y"}, {{"transB", kOn}});
    const ParameterSpace space = sketch.identify();
    expect_filters(space.find("v"), Role::filter_weight, 0, {1, 4, 3});
    expect_filters(space.find("g"), Role::other, 0, {1, 4, 1});
    EXPECT_THAT(space.find("v")->reason, HasSubstr("through arithmetic on parameters"));
}

/// Weight standardisation: BatchNormalization in training mode over a weight; its scale is a constant, not a parameter.
TEST(Roles, WeightStandardisation) {
    GraphSketch sketch;
    sketch.weight("conv.weight", {4, 3, 3, 3});
    sketch.weight("val_1", {4}, 0.1F);
    sketch.weight("val_2", {4}, 0.0F);
    sketch.weight("val_3", {4}, 1.0F);
    sketch.ints("one_first", {1, 4, 27});
    sketch.ints("back", {4, 3, 3, 3});
    sketch.node("Reshape", {"conv.weight", "one_first"}, {"flat"});
    sketch.node("BatchNormalization", {"flat", "val_1", "val_2", "val_2", "val_3"}, {"standard"},
                {{"training_mode", kOn}});
    sketch.node("Reshape", {"standard", "back"}, {"kernel"});
    sketch.node("Conv", {"x", "kernel"}, {"y"});
    const ParameterSpace space = sketch.identify();
    ASSERT_EQ(space.weights.size(), 1U);
    expect_filters(&space.weights[0], Role::filter_weight, 0, {1, 4, 27});
    EXPECT_THAT(space.states, IsEmpty());
    EXPECT_FALSE(constant_reason(space, "val_1").empty());
    EXPECT_FALSE(constant_reason(space, "val_3").empty());
}

TEST(Roles, WhatIsNoParameter) {
    GraphSketch sketch;
    sketch.anchor();
    sketch.weight("val_1", {2}, 0.0F);
    sketch.weight("anchor2.weight", {2, 2});
    sketch.weight("scale", {1}, 0.125F);
    sketch.weight("low", {}, 0.0F);
    sketch.weight("mask", {2, 2}, -std::numeric_limits<float>::infinity());
    sketch.weight("idle", {7});
    sketch.constant("table", {2, 2});
    sketch.node("Gemm", {"anchored", "anchor2.weight", "val_1"}, {"a"});
    sketch.node("Mul", {"a", "scale"}, {"b"});
    sketch.node("Clip", {"b", "low"}, {"c"});
    sketch.node("Add", {"c", "mask"}, {"d"});
    sketch.node("Mul", {"d", "table"}, {"y"});
    const ParameterSpace space = sketch.identify();
    EXPECT_EQ(space.weights.size(), 2U);
    EXPECT_EQ(constant_reason(space, "val_1"),
              "zeros written by the exporter for a layer without bias (bias of Gemm 'a')");
    EXPECT_EQ(constant_reason(space, "scale"), "a single number (factor of Mul 'b')");
    EXPECT_EQ(constant_reason(space, "low"), "setting of Clip 'c'");
    EXPECT_EQ(constant_reason(space, "mask"), "a mask (added by Add 'd')");
    EXPECT_EQ(constant_reason(space, "idle"), "nothing reads it");
    EXPECT_EQ(constant_reason(space, "table"), "a constant of the graph (factor of Mul 'y')");
}

TEST(Roles, PictureNormalisationIsNoParameter) {
    GraphSketch sketch;
    sketch.weight("mean", {1, 3, 1, 1});
    sketch.weight("std", {1, 3, 1, 1});
    sketch.weight("conv.weight", {4, 3, 1, 1});
    sketch.node("Sub", {"x", "mean"}, {"a"});
    sketch.node("Div", {"a", "std"}, {"b"});
    sketch.node("Conv", {"b", "conv.weight"}, {"y"});
    const ParameterSpace space = sketch.identify();
    EXPECT_EQ(constant_reason(space, "mean"), "normalises the input in Sub 'a'");
    EXPECT_EQ(constant_reason(space, "std"), "normalises the input in Div 'b'");
}

TEST(Roles, WeightsInConstantNodesCount) {
    GraphSketch sketch;
    sketch.constant("kernel", {4, 3, 1, 1});
    sketch.node("Conv", {"x", "kernel"}, {"y"});
    expect_filters(sketch.identify().find("kernel"), Role::filter_weight, 0, {1, 4, 3});
}

}  // namespace
}  // namespace lossmap::test
