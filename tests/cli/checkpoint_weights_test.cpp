#include "cli/run/checkpoint_weights.hpp"

#include <gtest/gtest.h>

#include "cli/run/model_source.hpp"
#include "core/error.hpp"
#include "io/npz.hpp"
#include "io/safetensors.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

namespace lossmap::test {
namespace {

const std::vector<float> kW = {1.5f, -2.0f, 0.25f, 3.0f, -0.125f, 7.0f};
const std::vector<float> kB = {-1.0f, 0.5f};

/// x [batch, 3] -> Gemm (w [2, 3], b [2]) -> y.
OnnxBuilder dense_model() {
    OnnxBuilder model;
    model.input("x", {-1, 3}).output("y", {-1, 2}).weight("w", {2, 3}, kW).weight("b", {2}, kB);
    set_int(model.node("Gemm", {"x", "w", "b"}, {"y"}), "transB", 1);
    return model;
}

/// Files that hold the same weights in different forms, and how often each is read whole by five reads.
class CheckpointWeightsTest : public ::testing::Test {
protected:
    CheckpointWeightsTest() { dense_model().save(folder_ / "raw.onnx"); }

    [[nodiscard]] ModelConfig saved(const std::string& name, OnnxBuilder model) const {
        model.save(folder_ / name);
        return {folder_ / name, std::nullopt, name};
    }

    /// A checkpoint put into the graph of raw.onnx.
    [[nodiscard]] ModelConfig beside(const std::string& name) const {
        return {folder_ / "raw.onnx", folder_ / name, name};
    }

    [[nodiscard]] std::vector<std::pair<std::string, ConstTensorView>> arrays() const {
        return {{"w", {DType::f32, {2, 3}, kW.data()}}, {"b", {DType::f32, {2}, kB.data()}}};
    }

    void expect_parts(const ModelConfig& checkpoint, std::int64_t whole_reads) const {
        SCOPED_TRACE(checkpoint.label);
        const ParameterRules rules;
        const ParameterSpace space = load_model({folder_ / "raw.onnx", std::nullopt, ""}, rules).space;
        std::vector<float> all = kW;
        all.insert(all.end(), kB.begin(), kB.end());
        const std::vector<ModelConfig> checkpoints{checkpoint};
        CheckpointWeights weights(checkpoints, rules, space);
        for (const auto& [first, count] : {std::pair{0, 8}, {0, 2}, {4, 3}, {6, 2}, {0, 8}}) {
            std::vector<float> part(static_cast<std::size_t>(count));
            weights.read(0, first, part);
            EXPECT_EQ(part, std::vector<float>(all.begin() + first, all.begin() + first + count)) << first;
        }
        EXPECT_EQ(weights.whole_reads(), whole_reads);
    }

    TemporaryDirectory folder_;
};

TEST_F(CheckpointWeightsTest, PlainOnnxIsReadWholeOnce) {
    expect_parts(saved("plain.onnx", dense_model()), 1);
    OnnxBuilder typed = dense_model();
    onnx::TensorProto& w = *typed.graph().mutable_initializer(0);
    w.clear_raw_data();
    for (const float value : kW)
        w.add_float_data(value);
    expect_parts(saved("typed.onnx", typed), 1);
}

TEST_F(CheckpointWeightsTest, OtherElementTypesAreConverted) {
    OnnxBuilder wide = dense_model();
    onnx::TensorProto& w = *wide.graph().mutable_initializer(0);
    const std::vector<double> doubles(kW.begin(), kW.end());
    w.set_data_type(onnx::TensorProto::DOUBLE);
    w.set_raw_data(doubles.data(), doubles.size() * sizeof(double));
    expect_parts(saved("double.onnx", wide), 1);
}

TEST_F(CheckpointWeightsTest, ExternalDataIsReadInItsFile) {
    OnnxBuilder model = dense_model();
    onnx::TensorProto& w = *model.graph().mutable_initializer(0);
    write_file(folder_ / "w.bin", "----" + w.raw_data());
    w.clear_raw_data();
    w.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair{"location", "w.bin"}, {"offset", "4"}, {"length", "24"}}) {
        auto& entry = *w.add_external_data();
        entry.set_key(key);
        entry.set_value(value);
    }
    expect_parts(saved("external.onnx", model), 1);
}

TEST_F(CheckpointWeightsTest, ArraysOfACheckpointAreReadInItsFile) {
    write_safetensors(folder_ / "c.safetensors", arrays());
    expect_parts(beside("c.safetensors"), 1);
    write_npz(folder_ / "c.npz", arrays());
    expect_parts(beside("c.npz"), 1);
}

TEST_F(CheckpointWeightsTest, OtherNamesAreMatchedByPosition) {
    OnnxBuilder model;
    model.input("x", {-1, 3}).output("y", {-1, 2}).weight("kernel", {2, 3}, kW).weight("shift", {2}, kB);
    set_int(model.node("Gemm", {"x", "kernel", "shift"}, {"y"}), "transB", 1);
    expect_parts(saved("renamed.onnx", model), 1);
}

TEST_F(CheckpointWeightsTest, ValuesThatAreNotThereAsTheyAreMakeEveryReadWhole) {
    OnnxBuilder model = dense_model();
    onnx::TensorProto& w = *model.graph().mutable_initializer(0);
    w.clear_raw_data();
    w.set_data_type(onnx::TensorProto::DOUBLE);
    for (const float value : kW)
        w.add_double_data(static_cast<double>(value));
    expect_parts(saved("typed-double.onnx", model), 5);
}

TEST_F(CheckpointWeightsTest, AMisfitNamesItsFile) {
    OnnxBuilder model;
    model.input("x", {-1, 3}).output("y", {-1, 4}).weight("w", {4, 3}).weight("b", {4});
    set_int(model.node("Gemm", {"x", "w", "b"}, {"y"}), "transB", 1);
    try {
        expect_parts(saved("wide.onnx", model), 0);
        FAIL() << "was accepted";
    } catch (const InputError& error) {
        EXPECT_NE(std::string(error.what()).find("wide.onnx: parameter 'w' has shape [4, 3]"), std::string::npos)
            << error.what();
    }
}

}  // namespace
}  // namespace lossmap::test
