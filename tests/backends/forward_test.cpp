#include <gtest/gtest.h>

#include "tests/backends/backend_case.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::ReferenceNet;

class BackendForward : public ::testing::TestWithParam<test::BackendCase> {};

// fp32 rounding of sums of a few hundred terms over a handful of layers, relative to the largest output.
constexpr double kTolerance = 2e-5;

const std::vector<double> kPoint{0.7, -0.4};

ReferenceNet residual_net(std::uint64_t seed, std::int64_t channels, bool projection) {
    ReferenceNet net({3, 9, 7}, seed);
    const auto stem = net.relu(net.batch_norm(net.conv(net.input(), channels, 3, 1, 1)));
    const auto inner = net.relu(net.batch_norm(net.conv(stem, channels, 3, 1, 1)));
    const auto block = net.relu(net.add(net.batch_norm(net.conv(inner, channels, 3, 1, 1, 1, true)), stem));
    const std::int64_t wide = 2 * channels;
    const auto down = net.relu(net.batch_norm(net.conv(block, wide, 3, 2, 1)));
    const auto shortcut =
        projection ? net.batch_norm(net.conv(block, wide, 1, 2, 0)) : net.padded_shortcut(block, wide);
    const auto second = net.relu(net.add(shortcut, net.batch_norm(net.conv(down, wide, 3, 1, 1))));
    net.output(net.gemm(net.flatten(net.global_average_pool(second)), 10, true));
    return net;
}

void expect_agreement(const test::BackendCase& backend, ReferenceNet net, std::int64_t classes) {
    NetworkRunner runner(std::move(net), 7, classes, backend.make());
    for (const bool fuse : {true, false}) {
        for (const int tile : {0, 1, 3, 7, 8}) {
            runner.request().passes = fuse ? PassSet{} : PassSet::none();
            runner.request().tile_samples = tile;
            const auto executable = runner.compile();
            EXPECT_LT(runner.error(*executable, kPoint), backend.tolerance(kTolerance))
                << "fuse " << fuse << ", tile " << tile;
        }
    }
}

TEST_P(BackendForward, ResidualNetworksAgreeWithTheReference) {
    expect_agreement(GetParam(), residual_net(1, 16, true), 10);
    expect_agreement(GetParam(), residual_net(2, 16, false), 10);
}

TEST_P(BackendForward, OddChannelCountsAgreeWithTheReference) {
    expect_agreement(GetParam(), residual_net(3, 5, true), 10);
    expect_agreement(GetParam(), residual_net(4, 3, false), 10);
}

TEST_P(BackendForward, GroupsStridesAndDilationsAgreeWithTheReference) {
    ReferenceNet net({6, 11, 10}, 5);
    auto x = net.clip(net.batch_norm(net.conv(net.input(), 12, 3, 2, 1, 3)), 0.0F, 1.5F);
    x = net.relu(net.conv(x, 12, 3, 1, 2, 12, true, 2));  // depthwise, dilated
    x = net.batch_norm(net.relu(net.conv(x, 8, 1, 1, 0)));
    net.output(net.linear(net.flatten(x), 4));
    expect_agreement(GetParam(), std::move(net), 4);
}

TEST_P(BackendForward, PoolsConcatAndGatesAgreeWithTheReference) {
    ReferenceNet net({4, 9, 9}, 6);
    const auto x = net.relu(net.conv(net.input(), 6, 3, 1, 1, 1, true));
    const auto pooled = net.max_pool(x, 3, 2, 1);
    const auto averaged = net.average_pool(x, 3, 2, 1, false);
    const auto padded = net.average_pool(x, 3, 2, 1, true);
    const auto joined = net.concat(net.concat(pooled, averaged), padded);
    const auto gate = net.sigmoid(net.conv(net.global_average_pool(joined), 18, 1, 1, 0));
    const auto gated = net.scale_channels(joined, gate);
    net.output(net.gemm(net.flatten(gated), 3, false, 0.5F, 2.0F));
    expect_agreement(GetParam(), std::move(net), 3);
}

TEST_P(BackendForward, DenseNetworksAgreeWithTheReference) {
    ReferenceNet net({20}, 7);
    auto x = net.relu(net.batch_norm(net.linear(net.input(), 33)));
    x = net.relu(net.add(net.gemm(x, 33, true), x));
    net.output(net.gemm(x, 6, false));
    expect_agreement(GetParam(), std::move(net), 6);
}

TEST_P(BackendForward, AConvolutionMayAddItsOwnInput) {
    ReferenceNet net({4, 6, 6}, 8);
    const auto x = net.relu(net.conv(net.input(), 4, 1, 1, 0));
    const auto y = net.relu(net.add(net.batch_norm(net.conv(x, 4, 3, 1, 1)), x));
    net.output(net.flatten(y));
    expect_agreement(GetParam(), std::move(net), 2);
}

TEST_P(BackendForward, AResidualThatIsReadAgainIsKept) {
    ReferenceNet net({4, 6, 6}, 9);
    const auto x = net.relu(net.conv(net.input(), 4, 3, 1, 1));
    const auto y = net.relu(net.add(net.conv(net.conv(x, 4, 3, 1, 1), 4, 3, 1, 1), x));
    net.output(net.flatten(net.concat(net.add(y, x), x)));
    expect_agreement(GetParam(), std::move(net), 2);
}

TEST_P(BackendForward, FusedAndUnfusedCountTheSameMultiplications) {
    NetworkRunner runner(residual_net(1, 16, true), 2, 10, GetParam().make());
    const std::int64_t fused = runner.compile()->macs_per_sample();
    runner.request().passes = PassSet::none();
    EXPECT_EQ(runner.compile()->macs_per_sample(), fused);
    // stem 3*16*9*63, two of 16*16*9*63, down 16*32*9*20, projection 16*32*20, one of 32*32*9*20, Gemm 320
    EXPECT_EQ(fused, 3 * 16 * 9 * 63 + 2 * 16 * 16 * 9 * 63 + 16 * 32 * 9 * 20 + 16 * 32 * 20 + 32 * 32 * 9 * 20 + 320);
}

// A program for GPUs has no backend where there is none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendForward);
INSTANTIATE_TEST_SUITE_P(Backends, BackendForward, ::testing::ValuesIn(test::backend_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lossmap
