#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/backends/backend_case.hpp"
#include "tests/support/byte_samples.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::grid;
using test::NetworkRunner;
using test::small_net;

class BackendEvaluate : public ::testing::TestWithParam<test::BackendCase> {};

double reference_loss_sum(const std::vector<double>& logits, std::size_t classes) {
    double sum = 0.0;
    for (std::size_t row = 0; row * classes < logits.size(); ++row) {
        double total = 0.0;
        for (std::size_t c = 0; c < classes; ++c)
            total += std::exp(logits[row * classes + c]);
        sum += std::log(total) - logits[row * classes + row % classes];
    }
    return sum;
}

TEST_P(BackendEvaluate, SumsAgreeWithTheReference) {
    const NetworkRunner runner(small_net(), 13, 5, GetParam().make());
    const auto executable = runner.compile();
    const std::vector<Point> points = grid();
    const std::vector<LossSums> sums = runner.sums(*executable, points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        const std::vector<double> logits = runner.reference(points[k].coordinates);
        const double expected = reference_loss_sum(logits, 5);
        EXPECT_NEAR(sums[k].loss_sum, expected, GetParam().tolerance(1e-5) * expected);
        EXPECT_EQ(sums[k].weight_sum, 13.0);
        EXPECT_EQ(sums[k].counted, 13);
        EXPECT_EQ(sums[k].non_finite, 0);
        std::int64_t correct = 0;
        for (std::size_t row = 0; row < 13; ++row) {
            const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(5 * row);
            if (std::max_element(begin, begin + 5) - begin == static_cast<std::ptrdiff_t>(row % 5)) ++correct;
        }
        EXPECT_EQ(sums[k].correct, correct);
    }
}

TEST_P(BackendEvaluate, ManyPointsGiveTheBitsOfSinglePoints) {
    const NetworkRunner runner(small_net(), 13, 5, GetParam().make());
    const auto executable = runner.compile();
    // More than one group of weight sets.
    std::vector<Point> points = grid();
    const std::vector<Point> more = grid();
    points.insert(points.end(), more.begin(), more.end());
    const std::vector<LossSums> together = runner.sums(*executable, points);
    for (std::size_t k = 0; k < points.size(); ++k) {
        EXPECT_EQ(runner.sums(*executable, {points[k]})[0], together[k]) << "point " << k;
    }
}

TEST_P(BackendEvaluate, PaddingOfTheLastTileDoesNotCount) {
    NetworkRunner runner(small_net(), 9, 5, GetParam().make());
    runner.request().tile_samples = 1;
    const LossSums single = runner.sums(*runner.compile(), {{{0.5, 0.25}}})[0];
    runner.request().tile_samples = 8;
    const LossSums padded = runner.sums(*runner.compile(), {{{0.5, 0.25}}})[0];
    EXPECT_NEAR(padded.loss_sum, single.loss_sum, GetParam().tolerance(1e-6) * single.loss_sum);
    EXPECT_EQ(padded.counted, 9);
    EXPECT_EQ(padded.correct, single.correct);
}

TEST_P(BackendEvaluate, TheOriginEqualsTheNetworkWithoutAxes) {
    NetworkRunner runner(small_net(), 6, 5, GetParam().make());
    const LossSums at_origin = runner.sums(*runner.compile(), {{{0.0, 0.0}}})[0];
    for (auto axis : {0, 1})
        std::fill(runner.direction(static_cast<std::size_t>(axis)).begin(),
                  runner.direction(static_cast<std::size_t>(axis)).end(), 0.0F);
    std::fill(runner.state_direction().begin(), runner.state_direction().end(), 0.0F);
    EXPECT_EQ(runner.sums(*runner.compile(), {{{1.0, 2.0}}})[0], at_origin);
}

TEST_P(BackendEvaluate, StatesMoveOnlyAlongAxesThatHaveThem) {
    NetworkRunner runner(small_net(), 6, 5, GetParam().make());
    const auto executable = runner.compile();
    EXPECT_LT(runner.error(*executable, {0.8, 0.0}), GetParam().tolerance(2e-5));
    EXPECT_LT(runner.error(*executable, {0.0, 1.5}), GetParam().tolerance(2e-5));
}

TEST_P(BackendEvaluate, StatisticsOfAPointReplaceThoseAlongTheAxes) {
    NetworkRunner runner(small_net(), 6, 5, GetParam().make());
    const auto executable = runner.compile();
    const StateVector there = runner.state_at({0.8, 1.5});
    const StateVector elsewhere = runner.state_at({0.8, -0.5});
    const auto sums = runner.sums(
        *executable, {{{0.8, 1.5}}, {{0.8, 1.5}, there.states}, {{0.8, 1.5}, elsewhere.states}, {{0.8, 1.5}}});
    EXPECT_EQ(sums[1], sums[0]);
    EXPECT_EQ(sums[3], sums[0]);
    EXPECT_NE(sums[2].loss_sum, sums[0].loss_sum);
}

TEST_P(BackendEvaluate, AnEmptyChunkGivesZeroSums) {
    NetworkRunner runner(small_net(), 4, 5, GetParam().make());
    const auto executable = runner.compile();
    SampleChunk empty;
    empty.inputs.emplace_back(DType::f32, Shape{0, 3, 8, 8});
    empty.target = Tensor(DType::i64, {0});
    std::vector<LossSums> sums(1);
    sums[0].loss_sum = 5.0;
    const std::vector<Point> points{{{0.0, 0.0}}};
    executable->evaluate(points, empty, sums);
    EXPECT_EQ(sums[0], LossSums{});
}

TEST_P(BackendEvaluate, TheExecutableOutlivesItsRequest) {
    std::unique_ptr<Executable> executable;
    std::vector<LossSums> expected;
    SampleChunk chunk;
    {
        const NetworkRunner runner(small_net(), 4, 5, GetParam().make());
        executable = runner.compile();
        expected = runner.sums(*executable, grid());
        chunk.count = 4;
        chunk.first = runner.chunk().first;
        chunk.inputs.push_back(runner.chunk().inputs[0].clone());
        chunk.target = runner.chunk().target.clone();
    }
    std::vector<LossSums> sums(grid().size());
    executable->evaluate(grid(), chunk, sums);
    EXPECT_EQ(sums, expected);
    EXPECT_GT(executable->memory_bytes(), 0);
}

TEST_P(BackendEvaluate, BytesGiveTheBitsOfWhatTheyStandFor) {
    NetworkRunner runner(small_net(), 5, 5, GetParam().make());
    runner.request().tile_samples = 2;
    const std::vector<Point> points{grid()[0], grid()[1]};
    for (const std::int64_t channels : {3, 1}) {
        const SampleChunk bytes = test::with_bytes(runner.chunk(), channels);
        std::vector<LossSums> expected(points.size());
        std::vector<LossSums> actual(points.size());
        runner.request().inputs[0].byte_channels = 0;
        runner.compile()->evaluate(points, test::with_values(bytes), expected);
        runner.request().inputs[0].byte_channels = channels;
        const auto executable = runner.compile();
        executable->evaluate(points, bytes, actual);
        EXPECT_EQ(actual, expected);
        EXPECT_NE(actual[0], actual[1]);
        EXPECT_THROW(executable->evaluate(points, runner.chunk(), actual), InternalError);
    }
}

TEST_P(BackendEvaluate, MeasuringOperationsLeavesNothingBehind) {
    const NetworkRunner runner(small_net(), 13, 5, GetParam().make());
    const auto executable = runner.compile();
    const std::vector<LossSums> before = runner.sums(*executable, grid());
    const auto times = executable->measure_operations(runner.chunk());
    ASSERT_TRUE(times);
    EXPECT_EQ(runner.sums(*executable, grid()), before);
    EXPECT_EQ(times->points, executable->points_per_pass());
    EXPECT_GE(times->samples, 1);
    EXPECT_FALSE(times->weights.empty());
    ASSERT_GE(times->tile.size(), 5U);
    EXPECT_EQ(times->tile.front().name, "samples");
    EXPECT_EQ(times->tile.back().name, "loss");
    const std::string plan = executable->plan_json();
    for (std::size_t k = 1; k + 1 < times->tile.size(); ++k) {
        EXPECT_GE(times->tile[k].seconds, 0.0) << times->tile[k].name;
        EXPECT_NE(plan.find('"' + times->tile[k].implementation + '"'), std::string::npos)
            << times->tile[k].implementation;
    }
}

// A program for GPUs has no backend where there is none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendEvaluate);
INSTANTIATE_TEST_SUITE_P(Backends, BackendEvaluate, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lossmap
