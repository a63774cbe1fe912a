#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <limits>
#include <string_view>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "onnx_import/importer.hpp"
#include "params/parameter_space.hpp"
#include "tests/support/test_files.hpp"
#include "tests/zoo/zoo_model.hpp"

// Networks as PyTorch's exporters write them give PyTorch's losses and outputs, at the origin and along a direction.
namespace lossmap::test {
namespace {

constexpr double kTolerance = 1e-4;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Largest difference over the largest absolute value of the reference.
double relative_difference(const Tensor& actual, const Tensor& expected) {
    if (actual.shape() != expected.shape()) return kNaN;
    const auto a = actual.as<float>();
    const auto e = expected.as<float>();
    double largest = 0.0;
    double difference = 0.0;
    for (std::size_t k = 0; k < e.size(); ++k) {
        if (!std::isfinite(a[k])) return kNaN;
        largest = std::max(largest, std::abs(static_cast<double>(e[k])));
        difference = std::max(difference, std::abs(static_cast<double>(a[k]) - static_cast<double>(e[k])));
    }
    return difference / largest;
}

struct Errors {
    double loss = 0.0;  ///< largest over the points; NaN where something is not finite
    double logits = 0.0;
};

/// The larger one; NaN when one of them is.
double worse(double a, double b) { return std::isnan(a) || b < a ? a : b; }

class ZooAgreementTest : public ::testing::TestWithParam<ZooModel> {
protected:
    void SetUp() override {
        graph_ = import_onnx(zoo_dir() / GetParam().file);
        space_ = identify_parameters(graph_);
        origin_ = read_state(graph_, space_);
        reference_ = read_zoo_reference(GetParam());
        direction_.assign(origin_.weights.size(), 0.0F);
        if (GetParam().direction_lost) {
            reference_.alphas.resize(1);
        } else {
            fill_direction();
        }
    }

    /// Initializers that the archive does not list stay where they are; what it moves must be a parameter.
    void fill_direction() {
        for (const auto& [name, tensor] : read_zoo_direction(GetParam())) {
            const auto values = tensor.as<float>();
            if (std::all_of(values.begin(), values.end(), [](float value) { return value == 0.0F; })) continue;
            const Parameter* parameter = space_.find(name);
            ASSERT_NE(parameter, nullptr) << name << " moves, but is no parameter";
            ASSERT_EQ(parameter->shape, tensor.shape()) << name;
            std::copy(values.begin(), values.end(), direction_.begin() + parameter->offset);
        }
    }

    /// @param tile_samples  0: the backend chooses
    [[nodiscard]] Errors measure(const PassSet& passes, int tile_samples) const {
        ExecutableRequest request;
        request.graph = &graph_;
        request.space = &space_;
        request.origin = &origin_;
        request.axes = {{direction_, {}}};
        request.loss = reference_.loss;
        request.inputs = reference_.inputs;
        request.target = reference_.target;
        request.passes = passes;
        request.tile_samples = tile_samples;
        const std::unique_ptr<Executable> executable = make_cpu_backend()->compile(request);

        std::vector<Point> points;
        for (const double alpha : reference_.alphas)
            points.push_back({{alpha}});
        LossSums unwritten;
        unwritten.loss_sum = kNaN;
        std::vector<LossSums> sums(points.size(), unwritten);
        executable->evaluate(points, reference_.chunk, sums);
        Errors errors;
        for (std::size_t k = 0; k < points.size(); ++k) {
            const double loss = sums[k].loss_sum / sums[k].weight_sum;
            errors.loss = worse(errors.loss, std::abs(loss - reference_.losses[k]) / std::abs(reference_.losses[k]));
            const Tensor logits = executable->forward(points[k], reference_.chunk);
            errors.logits = worse(errors.logits, relative_difference(logits, reference_.logits[k]));
        }
        return errors;
    }

    [[nodiscard]] bool declares_batch() const {
        return graph_.value(graph_.inputs.front()).declared.front().extent > 0;
    }

    Graph graph_;
    ParameterSpace space_;
    StateVector origin_;
    ZooReference reference_;
    std::vector<float> direction_;
};

TEST_P(ZooAgreementTest, LossAndOutputAreThoseOfPyTorch) {
    if (GetParam().trained_elements >= 0) {
        EXPECT_EQ(space_.weights_size(), GetParam().trained_elements);
    }
    const Errors fused = measure({}, 0);
    const Errors plain = measure(PassSet::none(), 0);
    // One sample a pass: nothing in a graph may mistake a batch of 1 for a dimension to broadcast or squeeze.
    const Errors single = measure({}, 1);
    Errors uneven;
    if (!declares_batch()) uneven = measure({}, 7);  // 16 samples: 7, 7 and 2
    std::cout << fmt::format("{:34} {} points: loss {:.1e}, output {:.1e}; not fused: {:.1e}, {:.1e}\n",
                             GetParam().file, reference_.alphas.size(), fused.loss, fused.logits, plain.loss,
                             plain.logits);
    for (const Errors& errors : {fused, plain, single, uneven}) {
        EXPECT_LE(errors.loss, kTolerance);
        EXPECT_LE(errors.logits, kTolerance);
    }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooAgreementTest, ::testing::ValuesIn(zoo_models()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooAgreementTest);

/// Files in which each pass finds something to do: convolutions with batch norms, skips and Relu6, dense layers with a
/// bias behind them, weights computed in the graph, constants that an exporter did not fold.
class ZooPassTest : public ZooAgreementTest {};

TEST_P(ZooPassTest, AnyOneOfThemCanBeLeftOut) {
    for (const PassInfo& pass : pass_table()) {
        PassSet passes;
        passes.*pass.enabled = false;
        const Errors errors = measure(passes, 0);
        EXPECT_LE(errors.loss, kTolerance) << pass.name;
        EXPECT_LE(errors.logits, kTolerance) << pass.name;
    }
}

std::vector<ZooModel> models_for_passes() {
    constexpr std::array<std::string_view, 6> kFiles{"resnet8_bn.onnx",     "mobilenet_v2-legacy13.onnx",
                                                     "vit_tiny-raw.onnx",   "resnet8_gn-raw.onnx",
                                                     "weightnorm_mlp.onnx", "tied_lm-opset23.onnx"};
    std::vector<ZooModel> models;
    for (const ZooModel& model : zoo_models()) {
        if (std::ranges::find(kFiles, model.file) != kFiles.end()) models.push_back(model);
    }
    return models;
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooPassTest, ::testing::ValuesIn(models_for_passes()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooPassTest);

TEST(Zoo, IsThere) {
    LOSSMAP_REQUIRE_REFERENCE("models/zoo/index.json");
    EXPECT_EQ(models_for_passes().size(), 6U);
    EXPECT_EQ(zoo_models().size(), 71U);
}

}  // namespace
}  // namespace lossmap::test
