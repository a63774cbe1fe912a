#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/backends/backend_case.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::ReferenceNet;
using ::testing::HasSubstr;

constexpr std::size_t kSamples = 11;
constexpr std::int64_t kBatch = 4;  // and a last one of 3

/// Convolutions of both kinds (16 channels: through transforms), norms with and without an activation behind them, a
/// dense layer's norm.
ReferenceNet normed_net() {
    ReferenceNet net({16, 6, 6}, 51);
    auto x = net.relu(net.batch_norm(net.conv(net.input(), 16, 3, 1, 1)));
    const auto y = net.batch_norm(net.conv(x, 16, 3, 1, 1, 1, true));
    x = net.max_pool(net.relu(net.add(y, x)), 2, 2, 0);
    x = net.batch_norm(net.conv(x, 5, 3, 2, 1));
    x = net.relu(net.batch_norm(net.gemm(net.flatten(x), 7, true)));
    net.output(net.gemm(x, 5, true));
    return net;
}

class BackendStatistics : public ::testing::TestWithParam<test::BackendCase> {
protected:
    BackendStatistics() {
        runner_.request().statistics_batches = {kBatch, static_cast<std::int64_t>(kSamples) % kBatch};
    }

    static std::vector<Point> points() { return {{{0.0, 0.0}}, {{0.7, -0.4}}, {{-1.0, 0.5}}}; }

    std::vector<StatisticSums> estimate(Executable& executable, std::span<const Point> at) {
        std::vector<StatisticSums> sums(at.size(), StatisticSums{{std::nan("")}, -1});
        executable.estimate_statistics(at, runner_.chunk(), kBatch, sums);
        return sums;
    }

    /// Mean over batches, in fp64.
    std::vector<double> expected(const std::vector<double>& coordinates) {
        const auto values = runner_.chunk().inputs[0].as<float>();
        const std::size_t width = values.size() / kSamples;
        const StateVector state = runner_.state_at(coordinates);
        std::vector<double> mean(state.states.size(), 0.0);
        std::size_t batches = 0;
        for (std::size_t first = 0; first < kSamples; first += kBatch, ++batches) {
            std::vector<ReferenceNet::Values> batch;
            for (std::size_t k = first; k < std::min<std::size_t>(first + kBatch, kSamples); ++k) {
                const auto row = values.subspan(k * width, width);
                batch.emplace_back(row.begin(), row.end());
            }
            const auto statistics = runner_.net().batch_statistics(state, batch);
            for (std::size_t k = 0; k < mean.size(); ++k)
                mean[k] += statistics[k];
        }
        for (double& value : mean)
            value /= static_cast<double>(batches);
        return mean;
    }

    NetworkRunner runner_{normed_net(), static_cast<std::int64_t>(kSamples), 5, GetParam().make()};
};

TEST_P(BackendStatistics, AgreeWithTheReference) {
    for (const bool fuse : {true, false}) {
        runner_.request().passes = fuse ? PassSet{} : PassSet::none();
        const auto executable = runner_.compile();
        const std::vector<Point> at = points();
        const std::vector<StatisticSums> sums = estimate(*executable, at);
        for (std::size_t k = 0; k < at.size(); ++k) {
            EXPECT_EQ(sums[k].batches, 3);
            const std::vector<float> states = sums[k].states();
            const std::vector<double> wanted = expected(at[k].coordinates);
            ASSERT_EQ(states.size(), wanted.size());
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                EXPECT_NEAR(static_cast<double>(states[i]), wanted[i], 2e-5 * std::max(1.0, std::abs(wanted[i])))
                    << "state " << i << " of point " << k << ", fuse " << fuse;
            }
        }
    }
}

TEST_P(BackendStatistics, DoNotDependOnThreadsOrOtherPoints) {
    runner_.request().threads = 1;
    const auto one = runner_.compile();
    runner_.request().threads = 3;
    const auto three = runner_.compile();
    const std::vector<Point> at = points();
    const auto together = estimate(*one, at);
    const auto apart = estimate(*three, at);
    for (std::size_t k = 0; k < at.size(); ++k) {
        EXPECT_EQ(together[k].sums, apart[k].sums);
        EXPECT_EQ(estimate(*three, {&at[k], 1})[0].sums, together[k].sums);
    }
    EXPECT_EQ(one->plan_json(), three->plan_json());
    EXPECT_THAT(one->plan_json(), HasSubstr("\"batch_samples\":3"));
}

TEST_P(BackendStatistics, OfAPointAreUsedInsteadOfItsOwn) {
    const auto executable = runner_.compile();
    const std::vector<float> states = estimate(*executable, {points().data() + 1, 1})[0].states();
    Point point = points()[1];
    point.states = states;
    const Tensor output = executable->forward(point, runner_.chunk());
    StateVector state = runner_.state_at(point.coordinates);
    state.states = states;
    const auto values = runner_.chunk().inputs[0].as<float>();
    const std::size_t width = values.size() / kSamples;
    for (std::size_t sample = 0; sample < kSamples; ++sample) {
        const auto row = values.subspan(sample * width, width);
        const auto wanted = runner_.net().forward(state, {row.begin(), row.end()});
        for (std::size_t c = 0; c < wanted.size(); ++c) {
            EXPECT_NEAR(static_cast<double>(output.as<float>()[sample * wanted.size() + c]), wanted[c],
                        GetParam().tolerance(1e-4) * std::max(1.0, std::abs(wanted[c])));
        }
    }
    // The stored ones come back for the next point.
    EXPECT_LT(runner_.error(*executable, {0.7, -0.4}), GetParam().tolerance(1e-5));
}

TEST_P(BackendStatistics, OfInfiniteActivationsAreNotFinite) {
    // Products of this first layer overflow in one channel of its 16.
    for (std::size_t k = 0; k < 16 * 9; ++k)
        runner_.net().origin().weights[k] = 3e38F;
    const auto executable = runner_.compile();
    const auto sums = estimate(*executable, {points().data(), 1})[0];
    EXPECT_FALSE(std::isfinite(sums.sums[16]));  // variance of channel 0
    for (std::size_t c = 1; c < 16; ++c)
        EXPECT_TRUE(std::isfinite(sums.sums[16 + c])) << c;
    Point point = points()[0];
    const std::vector<float> states = sums.states();
    point.states = states;
    LossSums loss;
    executable->evaluate({&point, 1}, runner_.chunk(), {&loss, 1});
    EXPECT_EQ(loss.non_finite, static_cast<std::int64_t>(kSamples));
}

TEST_P(BackendStatistics, NeedARequestThatNamesTheBatches) {
    const auto executable = runner_.compile();
    std::vector<StatisticSums> sums(1);
    const std::vector<Point> at{{{0.0, 0.0}}};
    EXPECT_THROW(executable->estimate_statistics(at, runner_.chunk(), 5, sums), InternalError);
    runner_.request().statistics_batches.clear();
    EXPECT_THROW(estimate(*runner_.compile(), at), InternalError);
    Point wrong = at[0];
    const std::vector<float> states(3);
    wrong.states = states;
    EXPECT_THROW(static_cast<void>(executable->forward(wrong, runner_.chunk())), InternalError);
}

class BackendStatisticsRefused : public ::testing::TestWithParam<test::BackendCase> {
protected:
    static std::string reason(NetworkRunner& runner, std::int64_t batch, const Graph* graph = nullptr) {
        ExecutableRequest request = runner.request();
        request.graph = graph == nullptr ? &runner.net().graph() : graph;
        request.space = &runner.net().space();
        request.origin = &runner.net().origin();
        request.statistics_batches = {batch};
        return GetParam().make()->why_not(request);
    }

    NetworkRunner runner_{normed_net(), 2, 5, GetParam().make()};
};

TEST_P(BackendStatisticsRefused, WithoutBatchNorms) {
    ReferenceNet net({3, 4, 4}, 31);
    net.output(net.gemm(net.flatten(net.relu(net.conv(net.input(), 2, 3, 1, 1))), 5, true));
    NetworkRunner runner(std::move(net), 2, 5, GetParam().make());
    EXPECT_THAT(reason(runner, 4), HasSubstr("has no batch normalisation: there are no statistics to re-estimate"));
}

TEST_P(BackendStatisticsRefused, OfOneValueAChannel) {
    EXPECT_EQ(reason(runner_, 2), "");
    EXPECT_THAT(reason(runner_, 1), HasSubstr("a batch of 1 samples gives 1 values a channel"));
}

TEST_P(BackendStatisticsRefused, ABatchThatIsNotTheModels) {
    Graph graph = runner_.net().graph();
    graph.value(graph.inputs[0]).declared[0] = {2, ""};
    EXPECT_EQ(reason(runner_, 2, &graph), "");
    EXPECT_THAT(reason(runner_, 3, &graph), HasSubstr("the model's batch is fixed at 2"));
}

TEST_P(BackendStatisticsRefused, StatisticsOfTwoNorms) {
    Graph graph = runner_.net().graph();
    std::vector<Node*> norms;
    for (Node& node : graph.nodes) {
        if (node.op_type == "BatchNormalization") norms.push_back(&node);
    }
    norms[1]->inputs[3] = norms[0]->inputs[3];
    EXPECT_THAT(reason(runner_, 2, &graph), HasSubstr("share running statistics"));
}

// A program for GPUs has no backend where there is none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendStatistics);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendStatisticsRefused);
INSTANTIATE_TEST_SUITE_P(Backends, BackendStatistics, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Backends, BackendStatisticsRefused, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });

TEST(StatisticSums, AddUpInAnyGroups) {
    StatisticSums sums;
    sums += StatisticSums{{1.0, 2.0}, 1};
    sums += StatisticSums{};
    sums += StatisticSums{{2.0, 6.0}, 2};
    EXPECT_EQ(sums.sums, (std::vector<double>{3.0, 8.0}));
    EXPECT_EQ(sums.states(), (std::vector<float>{1.0F, 8.0F / 3.0F}));
    EXPECT_THROW((sums += StatisticSums{{1.0}, 1}), InternalError);
    EXPECT_THROW(static_cast<void>(StatisticSums{}.states()), InternalError);
}

}  // namespace
}  // namespace lossmap
