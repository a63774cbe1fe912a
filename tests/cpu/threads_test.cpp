#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::ReferenceNet;

ReferenceNet small_net() {
    ReferenceNet net({3, 8, 8}, 11);
    const auto x = net.relu(net.batch_norm(net.conv(net.input(), 8, 3, 1, 1)));
    const auto y = net.relu(net.add(net.batch_norm(net.conv(x, 8, 3, 1, 1)), x));
    net.output(net.gemm(net.flatten(net.global_average_pool(y)), 5, true));
    return net;
}

std::vector<Point> grid() {
    std::vector<Point> points;
    for (const double b : {-0.5, 0.0, 0.25}) {
        for (const double a : {-1.0, 0.0, 0.5, 1.0})
            points.push_back({{a, b}});
    }
    return points;
}

TEST(CpuEvaluate, TheNumberOfThreadsDoesNotChangeBits) {
    NetworkRunner runner(small_net(), 29, 5, make_cpu_backend());
    runner.request().tile_samples = 2;
    const auto one = runner.compile();
    const std::vector<LossSums> expected = runner.sums(*one, grid());
    for (const int threads : {2, 3}) {
        runner.request().threads = threads;
        const auto several = runner.compile();
        EXPECT_EQ(runner.sums(*several, grid()), expected) << threads << " threads";
        EXPECT_EQ(several->plan_json(), one->plan_json());
        EXPECT_EQ(runner.sums(*several, {grid()[5]})[0], expected[5]);
    }
}

}  // namespace
}  // namespace lossmap
