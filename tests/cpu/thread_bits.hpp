#pragma once

#include <gtest/gtest.h>

#include "tests/support/network_runner.hpp"

namespace lossmap::test {

/// One, two and three threads give the same bits of a point, alone or among others, and have the same plan.
inline void expect_same_bits_by_threads(NetworkRunner& runner) {
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

}  // namespace lossmap::test
