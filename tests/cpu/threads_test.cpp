#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::grid;
using test::NetworkRunner;
using test::small_net;

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
