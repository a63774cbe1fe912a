#include <algorithm>
#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/onnx_builder.hpp"
#include "tests/support/test_files.hpp"

// A network with tokens and numbers as inputs and two outputs: arrays find their inputs, the loss its output, by name.
namespace lossmap::test {
namespace {

constexpr std::size_t kSamples = 5;
constexpr std::array<std::int64_t, 2 * kSamples> kTokens{0, 3, 1, 1, 4, 2, 2, 0, 3, 3};
constexpr std::array<std::int64_t, kSamples> kClasses{0, 3, 1, 2, 0};

float feature(std::size_t sample, std::size_t k) { return std::cos(0.7F * static_cast<float>(3 * sample + k)); }
float goal(std::size_t sample, std::size_t k) { return 0.25F * static_cast<float>(sample) - static_cast<float>(k); }
/// What OnnxBuilder fills a weight with.
double weight(std::size_t index) { return std::sin(static_cast<float>(index) + 1.0F); }

/// mean(table[tokens]) + features -> Gemm -> logits; features * map -> estimate.
void write_model(const std::filesystem::path& file) {
    OnnxBuilder model;
    model.input("tokens", {-1, 2}).input("features", {-1, 3}).output("logits").output("estimate");
    model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT64);
    model.weight("table", {5, 3}).weight("head", {4, 3}).weight("map", {3, 2});
    model.node("Gather", {"table", "tokens"}, {"rows"});
    onnx::NodeProto& mean = model.node("ReduceMean", {"rows"}, {"mean"});
    set_ints(mean, "axes", {1});
    set_int(mean, "keepdims", 0);
    model.node("Add", {"mean", "features"}, {"sum"});
    set_int(model.node("Gemm", {"sum", "head"}, {"logits"}), "transB", 1);
    model.node("MatMul", {"features", "map"}, {"estimate"});
    model.save(file);
}

double expected_cross_entropy() {
    double total = 0.0;
    for (std::size_t sample = 0; sample < kSamples; ++sample) {
        std::array<double, 4> logits{};
        for (std::size_t k = 0; k < 3; ++k) {
            const auto first = static_cast<std::size_t>(kTokens[2 * sample]);
            const auto second = static_cast<std::size_t>(kTokens[2 * sample + 1]);
            const double sum = (weight(3 * first + k) + weight(3 * second + k)) / 2.0 + feature(sample, k);
            for (std::size_t c = 0; c < 4; ++c)
                logits[c] += sum * weight(3 * c + k);
        }
        double normalizer = 0.0;
        for (const double logit : logits)
            normalizer += std::exp(logit);
        total += std::log(normalizer) - logits[static_cast<std::size_t>(kClasses[sample])];
    }
    return total;
}

double expected_squared_error() {
    double total = 0.0;
    for (std::size_t sample = 0; sample < kSamples; ++sample) {
        for (std::size_t c = 0; c < 2; ++c) {
            double estimate = 0.0;
            for (std::size_t k = 0; k < 3; ++k)
                estimate += feature(sample, k) * weight(2 * k + c);
            total += (estimate - goal(sample, c)) * (estimate - goal(sample, c)) / 2.0;
        }
    }
    return total;
}

Tensor features() {
    Tensor tensor(DType::f32, {kSamples, 3});
    for (std::size_t index = 0; index < 3 * kSamples; ++index)
        tensor.as<float>()[index] = feature(index / 3, index % 3);
    return tensor;
}

class NamedInputs : public ::testing::Test {
protected:
    void SetUp() override {
        write_model(folder_ / "model.onnx");
        graph_ = import_onnx(folder_ / "model.onnx");
        space_ = identify_parameters(graph_);
        origin_ = read_state(graph_, space_);
        request_.graph = &graph_;
        request_.space = &space_;
        request_.origin = &origin_;
        request_.tile_samples = 2;
        // Not in the order of the graph.
        request_.inputs = {{"features", DType::f32, {3}}, {"tokens", DType::i64, {2}}};
        chunk_.count = kSamples;
        chunk_.inputs.push_back(features());
        chunk_.inputs.push_back(Tensor::from<std::int64_t>(kTokens, {kSamples, 2}));
        want_classes();
    }

    void want_classes() {
        request_.loss = {};
        request_.loss.output_name = "logits";
        request_.target = {"target", DType::i64, {}};
        chunk_.target = Tensor::from<std::int64_t>(kClasses, {kSamples});
    }

    void want_estimate() {
        request_.loss = {};
        request_.loss.kind = LossKind::mse;
        request_.loss.output_name = "estimate";
        request_.target = {"target", DType::f32, {2}};
        chunk_.target = Tensor(DType::f32, {kSamples, 2});
        for (std::size_t index = 0; index < 2 * kSamples; ++index)
            chunk_.target.as<float>()[index] = goal(index / 2, index % 2);
    }

    [[nodiscard]] LossSums sums() const {
        std::vector<LossSums> result(1);
        result[0].loss_sum = std::nan("");
        make_cpu_backend()->compile(request_)->evaluate(std::vector<Point>{{}}, chunk_, result);
        return result[0];
    }

    TemporaryDirectory folder_;
    Graph graph_;
    ParameterSpace space_;
    StateVector origin_;
    ExecutableRequest request_;
    SampleChunk chunk_;
};

TEST_F(NamedInputs, ArraysFindTheirInputs) {
    EXPECT_NEAR(sums().loss_sum, expected_cross_entropy(), 1e-5);
    EXPECT_EQ(sums().weight_sum, static_cast<double>(kSamples));
}

TEST_F(NamedInputs, TheLossReadsTheOutputOfItsName) {
    want_estimate();
    EXPECT_NEAR(sums().loss_sum, expected_squared_error(), 1e-5);
    const Tensor output = make_cpu_backend()->compile(request_)->forward({}, chunk_);
    EXPECT_EQ(output.shape(), (Shape{kSamples, 2}));
}

TEST_F(NamedInputs, WithoutNamesTheOrderCounts) {
    request_.inputs = {{"a", DType::i64, {2}}, {"b", DType::f32, {3}}};
    std::swap(chunk_.inputs[0], chunk_.inputs[1]);
    EXPECT_NEAR(sums().loss_sum, expected_cross_entropy(), 1e-5);
}

TEST_F(NamedInputs, WithoutANameTheFirstOutputCounts) {
    request_.loss.output_name.clear();
    EXPECT_NEAR(sums().loss_sum, expected_cross_entropy(), 1e-5);
}

TEST_F(NamedInputs, AMissingArrayIsNamed) {
    request_.inputs[1].name = "words";
    EXPECT_EQ(make_cpu_backend()->why_not(request_), "the data have no array for the graph input 'tokens'");
}

TEST_F(NamedInputs, ATokenBeyondTheTableIsAnError) {
    chunk_.inputs[1].as<std::int64_t>()[3] = 5;
    EXPECT_THROW(static_cast<void>(sums()), InputError);
}

}  // namespace
}  // namespace lossmap::test
