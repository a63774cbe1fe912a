#include <algorithm>
#include <array>
#include <iostream>
#include <span>
#include <string_view>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/zoo/agreement.hpp"

namespace lossmap::test {
namespace {

TEST_P(ZooAgreementTest, LossAndOutputAreThoseOfPyTorch) {
    if (GetParam().trained_elements >= 0) {
        EXPECT_EQ(space_.weights_size(), GetParam().trained_elements);
    }
    const auto backend = make_cpu_backend();
    const Errors fused = measure(*backend, {}, 0);
    const Errors plain = measure(*backend, PassSet::none(), 0);
    // One sample a pass: nothing in a graph may mistake a batch of 1 for a dimension to broadcast or squeeze.
    const Errors single = measure(*backend, {}, 1);
    Errors uneven;
    if (!declares_batch()) uneven = measure(*backend, {}, 7);  // 16 samples: 7, 7 and 2
    std::cout << fmt::format("{:34} {} points: loss {:.1e}, output {:.1e}; not fused: {:.1e}, {:.1e}\n",
                             GetParam().file, reference_.alphas.size(), fused.loss, fused.logits, plain.loss,
                             plain.logits);
    for (const Errors& errors : {fused, plain, single, uneven}) {
        EXPECT_LE(errors.loss, kTolerance);
        EXPECT_LE(errors.logits, kTolerance);
    }
}

TEST_P(ZooAgreementTest, TheCudaBackendOnAnEmulatedDeviceAgreesToo) {
    HostDeviceOptions options;
    options.most_points = 2;  // three points: a whole block and one that is filled up
    options.most_products = 7;
    const auto backend = cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
    // The emulation is slow: outputs at the last point alone, and the other ways of computing only for one export each,
    // and for recurrent networks whose states older exports fill in the graph.
    Errors errors = measure(*backend, {}, declares_batch() ? 0 : 7, true);
    const bool fills_states = GetParam().file.find("classifier-legacy17") != std::string::npos;
    if (fills_states || GetParam().file.find('-') == std::string::npos) {
        options.pace = Pace::eager;
        options.most_products = 1;
        options.reversed = true;
        options.joins_work = false;
        options.has_convolutions = false;
        reference_.alphas = {reference_.alphas[0]};
        const auto other = cuda::make_cuda_backend({std::make_shared<HostDevice>(options)});
        const Errors plain = measure(*other, PassSet::none(), 0, true);
        errors = {worse(errors.loss, plain.loss), worse(errors.logits, plain.logits)};
    }
    std::cout << fmt::format("{:34} loss {:.1e}, output {:.1e}\n", GetParam().file, errors.loss, errors.logits);
    EXPECT_LE(errors.loss, kTolerance);
    EXPECT_LE(errors.logits, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooAgreementTest, ::testing::ValuesIn(zoo_models()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooAgreementTest);

/// Files in which each pass finds something to do: convolutions with batch norms, skips and Relu6, dense layers with a
/// bias behind them, weights computed in the graph, constants that an exporter did not fold.
class ZooPassTest : public ZooAgreementTest {};

TEST_P(ZooPassTest, AnyOneOfThemCanBeLeftOut) {
    const auto backend = make_cpu_backend();
    for (const PassInfo& pass : pass_table()) {
        PassSet passes;
        passes.*pass.enabled = false;
        const Errors errors = measure(*backend, passes, 0);
        EXPECT_LE(errors.loss, kTolerance) << pass.name;
        EXPECT_LE(errors.logits, kTolerance) << pass.name;
    }
}

std::vector<ZooModel> models_named(std::span<const std::string_view> files) {
    std::vector<ZooModel> models;
    for (const ZooModel& model : zoo_models()) {
        if (std::ranges::find(files, model.file) != files.end()) models.push_back(model);
    }
    return models;
}

std::vector<ZooModel> models_for_passes() {
    constexpr std::array<std::string_view, 6> kFiles{"resnet8_bn.onnx",     "mobilenet_v2-legacy13.onnx",
                                                     "vit_tiny-raw.onnx",   "resnet8_gn-raw.onnx",
                                                     "weightnorm_mlp.onnx", "tied_lm-opset23.onnx"};
    return models_named(kFiles);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooPassTest, ::testing::ValuesIn(models_for_passes()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooPassTest);

/// Tokens and images, labels and regression, recurrent cells, dense layers alone.
class ZooSizeTest : public ZooAgreementTest {};

TEST_P(ZooSizeTest, PassesOfSizesThatWereMeasuredAgreeToo) {
    HostDeviceOptions options;
    options.most_points = 2;
    const TemporaryDirectory folder;
    cuda::PlanOptions plans;
    plans.folder = folder.path();
    const auto backend = cuda::make_cuda_backend({std::make_shared<HostDevice>(options)}, plans);
    ExecutableRequest own = request();
    own.total_points = own.chunk_samples = 2;
    own.total_samples = std::int64_t{1} << 40;
    const auto executable = backend->compile(own);
    EXPECT_THAT(executable->plan_json(), ::testing::HasSubstr(R"("by":"measuring")"));
    const Tensor output = executable->forward({{reference_.alphas.back()}}, reference_.chunk);
    EXPECT_LE(relative_difference(output, reference_.logits.back()), kTolerance);
}

std::vector<ZooModel> models_for_sizes() {
    constexpr std::array<std::string_view, 6> kFiles{"text_encoder.onnx",   "gru_classifier.onnx", "lenet_maxpool.onnx",
                                                     "regression_mlp.onnx", "resnet8_bn.onnx",     "tied_lm.onnx"};
    return models_named(kFiles);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooSizeTest, ::testing::ValuesIn(models_for_sizes()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooSizeTest);

/// Networks of narrow dense layers, and a head of some.
class ZooDenseTest : public ZooAgreementTest {};

TEST_P(ZooDenseTest, DenseLayersAreOneKernelThatAgreesInOneWayOrTheOther) {
    const auto backend = cuda::make_cuda_backend({std::make_shared<HostDevice>()});
    const std::string plan = backend->compile(request())->plan_json();
    EXPECT_THAT(plan, ::testing::HasSubstr("kernel dense_chain"));
    PassSet apart;
    apart.dense_chains = false;
    for (const PassSet& passes : {PassSet{}, apart}) {
        const Errors errors = measure(*backend, passes, 8);
        EXPECT_LE(errors.loss, kTolerance);
        EXPECT_LE(errors.logits, kTolerance);
    }
}

std::vector<ZooModel> models_of_dense_layers() {
    constexpr std::array<std::string_view, 4> kFiles{"weightnorm_mlp.onnx", "mlp_tanh.onnx", "regression_mlp.onnx",
                                                     "lenet_maxpool.onnx"};
    return models_named(kFiles);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooDenseTest, ::testing::ValuesIn(models_of_dense_layers()),
                         [](const auto& test) { return test.param.test_name(); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ZooDenseTest);

TEST(Zoo, IsThere) {
    LOSSMAP_REQUIRE_REFERENCE("models/zoo/index.json");
    EXPECT_EQ(models_for_passes().size(), 6U);
    EXPECT_EQ(models_for_sizes().size(), 6U);
    EXPECT_EQ(models_of_dense_layers().size(), 4U);
    EXPECT_EQ(zoo_models().size(), 71U);
}

}  // namespace
}  // namespace lossmap::test
