#include "cpu/host_loss.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor floats(const std::vector<float>& values, Shape shape) { return Tensor::from<float>(values, std::move(shape)); }
Tensor labels(const std::vector<std::int64_t>& values, Shape shape) {
    return Tensor::from<std::int64_t>(values, std::move(shape));
}

LossSums evaluate(const LossSpec& loss, const Tensor& output, const Tensor& target) {
    return host_loss(loss, output.view(), target.view(), 0, output.shape()[0], 0);
}

LossSpec of_kind(LossKind kind) {
    LossSpec loss;
    loss.kind = kind;
    return loss;
}

/// -log softmax(x)[label], the textbook way.
double negative_log(const std::vector<double>& x, std::size_t label) {
    double sum = 0.0;
    for (const double value : x)
        sum += std::exp(value);
    return -std::log(std::exp(x[label]) / sum);
}

TEST(HostLoss, CrossEntropyIsTheTextbookFormula) {
    const Tensor output = floats({1.0F, -0.5F, 2.0F, 0.0F, 0.25F, -1.0F}, {2, 3});
    const LossSums sums = evaluate({}, output, labels({0, 1}, {2}));
    const double first = negative_log({1.0, -0.5, 2.0}, 0);
    const double second = negative_log({0.0, 0.25, -1.0}, 1);
    EXPECT_NEAR(sums.loss_sum, first + second, 1e-14);
    EXPECT_NEAR(sums.loss_square_sum, first * first + second * second, 1e-14);
    EXPECT_EQ(sums.weight_sum, 2.0);
    EXPECT_EQ(sums.correct, 1);
    EXPECT_EQ(sums.counted, 2);
    EXPECT_EQ(sums.non_finite, 0);
}

TEST(HostLoss, LargeLogitsDoNotOverflow) {
    const LossSums sums = evaluate({}, floats({3e38F, -3e38F, 1000.0F, 999.0F}, {2, 2}), labels({0, 0}, {2}));
    EXPECT_NEAR(sums.loss_sum, std::log1p(std::exp(-1.0)), 1e-12);
}

TEST(HostLoss, EqualLogitsPredictTheFirstClass) {
    EXPECT_EQ(evaluate({}, floats({1, 1, 1, 1}, {2, 2}), labels({0, 1}, {2})).correct, 1);
}

TEST(HostLoss, TokensAndPixelsCountOneByOne) {
    // [1, classes 2, pixels 3], class axis 1
    const Tensor output = floats({0.1F, 0.2F, 0.3F, 0.9F, -0.2F, 0.0F}, {1, 2, 3});
    LossSpec loss;
    loss.ignore_index = -100;
    const LossSums sums = evaluate(loss, output, labels({1, -100, 0}, {1, 3}));
    EXPECT_NEAR(sums.loss_sum, negative_log({0.1F, 0.9F}, 1) + negative_log({0.3F, 0.0}, 0), 1e-12);
    EXPECT_EQ(sums.counted, 2);
    EXPECT_EQ(sums.weight_sum, 2.0);
    EXPECT_EQ(sums.correct, 2);
    // The same numbers with the classes behind: [1, tokens 3, classes 2]
    loss.class_axis = 2;
    const Tensor tokens = floats({0.1F, 0.9F, 0.2F, -0.2F, 0.3F, 0.0F}, {1, 3, 2});
    EXPECT_EQ(evaluate(loss, tokens, labels({1, -100, 0}, {1, 3})), sums);
    loss.class_axis = -1;
    EXPECT_EQ(evaluate(loss, tokens, labels({1, -100, 0}, {1, 3})), sums);
}

TEST(HostLoss, WeightsAndSmoothingAreThoseOfPyTorch) {
    LossSpec loss;
    loss.class_weights = {0.5, 2.0, 1.0};
    loss.label_smoothing = 0.1;
    const std::vector<double> logits{0.3F, -0.7F, 1.1F};
    const LossSums sums = evaluate(loss, floats({0.3F, -0.7F, 1.1F}, {1, 3}), labels({1}, {1}));
    double smooth = 0.0;
    for (std::size_t c = 0; c < 3; ++c)
        smooth += loss.class_weights[c] * negative_log(logits, c);
    const double expected = 0.9 * 2.0 * negative_log(logits, 1) + 0.1 / 3.0 * smooth;
    EXPECT_NEAR(sums.loss_sum, expected, 1e-13);
    EXPECT_EQ(sums.weight_sum, 2.0);
    EXPECT_NEAR(sums.loss_square_sum, expected * expected / 2.0, 1e-13);
}

TEST(HostLoss, SquaredErrorOfSoftmaxAgainstOneHot) {
    LossSpec loss = of_kind(LossKind::mse);
    loss.one_hot_targets = true;
    loss.softmax_activation = true;
    const LossSums sums = evaluate(loss, floats({0.5F, -1.0F, 2.0F}, {1, 3}), labels({2}, {1}));
    const double total = std::exp(0.5) + std::exp(-1.0) + std::exp(2.0);
    const double p[] = {std::exp(0.5) / total, std::exp(-1.0) / total, std::exp(2.0) / total};
    EXPECT_NEAR(sums.loss_sum, (p[0] * p[0] + p[1] * p[1] + (p[2] - 1) * (p[2] - 1)) / 3.0, 1e-14);
    EXPECT_EQ(sums.correct, 1);
}

TEST(HostLoss, RegressionLossesAreMeansOverASamplesElements) {
    const Tensor output = floats({1.0F, 4.0F, -2.0F, 0.5F}, {2, 2});
    const Tensor target = floats({0.5F, 1.0F, -2.0F, 2.5F}, {2, 2});
    EXPECT_NEAR(evaluate(of_kind(LossKind::mse), output, target).loss_sum, (0.25 + 9.0) / 2 + (0.0 + 4.0) / 2, 1e-14);
    EXPECT_NEAR(evaluate(of_kind(LossKind::mae), output, target).loss_sum, (0.5 + 3.0) / 2 + (0.0 + 2.0) / 2, 1e-14);
    LossSpec huber = of_kind(LossKind::huber);
    huber.delta = 1.5;
    EXPECT_NEAR(evaluate(huber, output, target).loss_sum,
                (0.125 + 1.5 * (3.0 - 0.75)) / 2 + (0.0 + 1.5 * (2.0 - 0.75)) / 2, 1e-14);
    const double bce = (std::log1p(std::exp(1.0)) - 0.5 + std::log1p(std::exp(4.0)) - 4.0) / 2;
    EXPECT_NEAR(evaluate(of_kind(LossKind::bce_with_logits), floats({1.0F, 4.0F}, {1, 2}), floats({0.5F, 1.0F}, {1, 2}))
                    .loss_sum,
                bce, 1e-14);
    EXPECT_NEAR(
        evaluate(of_kind(LossKind::bce_with_logits), floats({1.0F, 4.0F}, {1, 2}), labels({1, 0}, {1, 2})).loss_sum,
        (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(4.0))) / 2, 1e-14);
    EXPECT_EQ(evaluate(of_kind(LossKind::mse), output, target).weight_sum, 2.0);
}

TEST(HostLoss, TheGraphsOwnLossIsTaken) {
    const LossSums sums = evaluate(of_kind(LossKind::output), floats({0.5F, 2.5F}, {2, 1}), Tensor(DType::f32, {2, 0}));
    EXPECT_EQ(sums.loss_sum, 3.0);
    EXPECT_EQ(sums.loss_square_sum, 6.5);
}

TEST(HostLoss, NotANumberIsCountedAndNeverCorrect) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const LossSums sums = evaluate({}, floats({nan, 1.0F, 0.0F, nan, 2.0F, 1.0F}, {3, 2}), labels({0, 0, 0}, {3}));
    EXPECT_TRUE(std::isnan(sums.loss_sum));
    EXPECT_EQ(sums.non_finite, 2);
    EXPECT_EQ(sums.counted, 3);
    EXPECT_EQ(sums.correct, 1);
    const auto minus_infinity = static_cast<float>(-kInfinity);
    EXPECT_EQ(evaluate({}, floats({minus_infinity, 1.0F}, {1, 2}), labels({0}, {1})).loss_sum, kInfinity);
}

TEST(HostLoss, RowsOfALaterTileFindTheirTargets) {
    const Tensor output = floats({9.0F, 0.0F, 0.0F, 9.0F, 7.0F, 7.0F}, {3, 2});
    const LossSums sums = host_loss({}, output.view(), labels({1, 1, 0, 1}, {4}).view(), 2, 2, 0);
    EXPECT_EQ(sums.counted, 2);
    EXPECT_EQ(sums.correct, 2);
}

TEST(HostLoss, RefusesALabelThatIsNoClass) {
    const Tensor output = floats({0.0F, 0.0F, 0.0F, 0.0F}, {2, 2});
    for (const std::int64_t label : {std::int64_t{2}, std::int64_t{-1}}) {
        try {
            static_cast<void>(host_loss({}, output.view(), labels({0, label}, {2}).view(), 0, 2, 40));
            ADD_FAILURE() << "label " << label << " was taken";
        } catch (const InputError& error) {
            EXPECT_EQ(std::string(error.what()),
                      "sample 41: label " + std::to_string(label) + " is not one of the 2 classes");
        }
    }
}

}  // namespace
}  // namespace lossmap
