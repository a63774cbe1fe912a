#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/params/graph_sketch.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSignature = "pkg.torch.export.ExportedProgram.graph_signature";
constexpr const char* kFoldedFrom = "pkg.onnxscript.optimizer.folded_from";

std::string signature(const std::vector<std::string>& parameters, const std::vector<std::string>& buffers = {}) {
    std::string text = "\n# inputs\n";
    for (const std::string& name : parameters)
        text += "p_x: PARAMETER target='" + name + "'\n";
    for (const std::string& name : buffers)
        text += "b_x: BUFFER target='" + name + "' persistent=True\n";
    return text + "x: USER_INPUT\n";
}

/// A position table looked up at export time is a table still; a position tensor that is no module's weight is not.
TEST(ExporterMetadata, FoldedLookupIsATable) {
    for (const char* source : {"pos.weight", "pos"}) {
        GraphSketch sketch;
        sketch.weight("w", {4, 4});
        sketch.weight("embedding_1", {1, 3, 4}).metadata[kFoldedFrom] = std::string("['arange', '") + source + "']";
        sketch.node("Add", {"x", "embedding_1"}, {"a"});
        sketch.node("MatMul", {"a", "w"}, {"y"});
        sketch.graph.metadata[kSignature] = signature({"w", source});
        const ParameterSpace space = sketch.identify();
        const Parameter* rows = space.find("embedding_1");
        ASSERT_NE(rows, nullptr);
        const bool table = std::string(source) == "pos.weight";
        EXPECT_EQ(rows->role, table ? Role::filter_weight : Role::other);
        EXPECT_EQ(rows->filters.count, table ? 3 : 1);
        EXPECT_EQ(rows->filter_axis, table ? 1 : 0);
    }
}

/// Gemm with a transposed weight without a name, a zero bias without a name, and a learned scalar.
TEST(ExporterMetadata, SignatureAndFoldedFromDecide) {
    GraphSketch sketch;
    sketch.weight("temperature", {}, 1.0F);
    sketch.weight("val_1", {3, 4}).metadata[kFoldedFrom] = "['fc.weight']";
    sketch.weight("val_2", {4}).metadata[kFoldedFrom] = "['val_0', 'conv2d_2']";
    sketch.weight("buffer", {4});
    sketch.node("MatMul", {"x", "val_1"}, {"a"});
    sketch.node("Add", {"a", "val_2"}, {"b"});
    sketch.node("Mul", {"b", "buffer"}, {"c"});
    sketch.node("Mul", {"c", "temperature"}, {"y"});
    sketch.graph.metadata[kSignature] = signature({"temperature", "fc.weight"}, {"buffer"});
    const ParameterSpace space = sketch.identify();
    ASSERT_EQ(space.weights.size(), 2U);
    EXPECT_EQ(space.weights[0].name, "temperature");
    EXPECT_EQ(space.weights[1].reason, "weight of MatMul 'a'; exported from fc.weight");
    EXPECT_EQ(space.weights[1].filter_axis, 1);
    EXPECT_THAT(constant_reason(space, "val_2"), HasSubstr("made by the exporter"));
    EXPECT_THAT(constant_reason(space, "buffer"), HasSubstr("a buffer of the network"));
    EXPECT_THAT(space.warnings, IsEmpty());
}

TEST(ExporterMetadata, ParametersThatAreGone) {
    GraphSketch sketch;
    sketch.anchor();
    sketch.weight("val_1", {2, 4}).metadata[kFoldedFrom] = "['centres', 'linalg_vector_norm_1', 'div_3']";
    sketch.node("MatMul", {"anchored", "val_1"}, {"y"});
    sketch.graph.metadata[kSignature] = signature({"anchor.weight", "centres", "other"});
    const ParameterSpace space = sketch.identify();
    EXPECT_EQ(space.weights.size(), 1U);
    EXPECT_THAT(constant_reason(space, "val_1"), HasSubstr("computed from parameters"));
    EXPECT_THAT(space.warnings, ElementsAre(HasSubstr("'val_1' was computed from centres"), HasSubstr("other")));
}

/// A named tensor has PyTorch's shape; a nameless one may have been widened by the exporter.
TEST(ExporterMetadata, DimensionCountIsPyTorchs) {
    GraphSketch sketch;
    sketch.weight("conv.weight", {4, 3, 1, 1});
    sketch.weight("gamma", {4, 1, 1});
    sketch.weight("val_1", {1, 4, 1, 1}).metadata[kFoldedFrom] = "['norm.weight', 'val_0']";
    sketch.weight("ones", {4}, 1.0F);
    sketch.weight("zeros", {4}, 0.0F);
    sketch.node("Conv", {"x", "conv.weight"}, {"a"});
    sketch.node("InstanceNormalization", {"a", "ones", "zeros"}, {"b"});
    sketch.node("Mul", {"b", "val_1"}, {"c"});
    sketch.node("Add", {"c", "gamma"}, {"y"});
    sketch.graph.metadata[kSignature] = signature({"conv.weight", "gamma", "norm.weight"});
    const ParameterSpace space = sketch.identify();
    EXPECT_TRUE(space.find("val_1")->one_dimensional);
    EXPECT_EQ(space.find("val_1")->role, Role::norm_scale);
    EXPECT_FALSE(space.find("gamma")->one_dimensional);
    EXPECT_EQ(space.find("gamma")->role, Role::norm_shift);
}

TEST(FoldedBatchNorms, AreRecognisedByName) {
    for (const auto& [weight, bias] :
         {std::pair{"onnx::Conv_89", "onnx::Conv_90"}, std::pair{"c.weight", "c.weight_bias"}}) {
        GraphSketch sketch;
        sketch.weight(weight, {4, 3, 1, 1});
        sketch.weight(bias, {4});
        sketch.node("Conv", {"x", weight, bias}, {"a"});
        sketch.node("Relu", {"a"}, {"y"});
        const ParameterSpace space = sketch.identify();
        EXPECT_THAT(constant_reason(space, bias), HasSubstr("when it folded a batch norm"));
        ASSERT_EQ(space.warnings.size(), 1U);
        EXPECT_THAT(space.warnings[0], HasSubstr("batch norms look folded into 1 layer:"));
    }
}

TEST(FoldedBatchNorms, AreKnownByTheirStatistics) {
    GraphSketch sketch;
    sketch.anchor();
    sketch.graph.metadata[kSignature] = signature({"anchor.weight"}, {"bn1.running_mean", "bn1.running_var"});
    const ParameterSpace space = sketch.identify();
    ASSERT_EQ(space.warnings.size(), 1U);
    EXPECT_THAT(space.warnings[0], HasSubstr("batch norms look folded into 1 layer:"));
}

TEST(FoldedBatchNorms, AreSuspectedByShape) {
    GraphSketch sketch;
    std::string from = "x";
    for (const std::string layer : {"one", "two", "three"}) {
        sketch.weight(layer + "_w", {3, 3, 1, 1});
        sketch.weight(layer + "_b", {3});
        sketch.node("Conv", {from, layer + "_w", layer + "_b"}, {layer});
        sketch.node("Relu", {layer}, {layer + "_relu"});
        from = layer + "_relu";
    }
    const ParameterSpace space = sketch.identify();
    EXPECT_EQ(space.weights.size(), 6U) << "a suspicion takes no parameter away";
    ASSERT_EQ(space.warnings.size(), 1U);
    EXPECT_THAT(space.warnings[0], HasSubstr("may be folded"));
}

TEST(FoldedBatchNorms, AreNotSuspectedInANetworkWithNamedBiases) {
    GraphSketch sketch;
    std::string from = "x";
    for (const std::string layer : {"one", "two", "three"}) {
        sketch.weight(layer + ".weight", {3, 3, 1, 1});
        sketch.weight(layer + ".bias", {3});
        sketch.node("Conv", {from, layer + ".weight", layer + ".bias"}, {layer});
        from = layer;
    }
    EXPECT_THAT(sketch.identify().warnings, IsEmpty());
}

TEST(Warnings, NamelessConvolutionWeightsBesideNamedBiasesWereComputed) {
    GraphSketch sketch;
    sketch.weight("onnx::Conv_182", {4, 3, 1, 1});
    sketch.weight("gate.bias", {4});
    sketch.node("Conv", {"x", "onnx::Conv_182", "gate.bias"}, {"y"});
    const ParameterSpace space = sketch.identify();
    EXPECT_NE(space.find("onnx::Conv_182"), nullptr);
    ASSERT_EQ(space.warnings.size(), 1U);
    EXPECT_THAT(space.warnings[0], HasSubstr("1 convolution weight lost its name: computed from parameters"));
}

TEST(Warnings, EqualNamelessMatricesMayBeOne) {
    for (const auto& [second, warnings] : {std::pair{"onnx::MatMul_9", 1U}, std::pair{"second.weight", 0U}}) {
        GraphSketch sketch;
        const std::string first = warnings == 0 ? "first.weight" : "onnx::MatMul_7";
        sketch.weight(first, {3, 3});
        sketch.weight(second, {3, 3});
        sketch.graph.value(sketch.graph.find(second)).data = sketch.graph.value(sketch.graph.find(first)).data;
        sketch.node("MatMul", {"x", first}, {"a"});
        sketch.node("MatMul", {"a", second}, {"y"});
        const ParameterSpace space = sketch.identify();
        EXPECT_EQ(space.weights.size(), 2U);
        ASSERT_EQ(space.warnings.size(), warnings);
        if (warnings == 0) continue;
        EXPECT_THAT(space.warnings[0], HasSubstr("hold the same values: if the network ties them"));
    }
}

TEST(Warnings, ConvertedTensorsAreStated) {
    GraphSketch sketch;
    sketch.anchor();
    sketch.graph.metadata["lossmap.converted"] = "1 FLOAT16 tensor computed in fp32";
    EXPECT_THAT(sketch.identify().warnings, ElementsAre("1 FLOAT16 tensor computed in fp32"));
}

}  // namespace
}  // namespace lossmap::test
