#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "tests/cpu/thread_bits.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::NetworkRunner;
using test::small_net;

TEST(CpuEvaluate, TheNumberOfThreadsDoesNotChangeBits) {
    NetworkRunner runner(small_net(), 29, 5, make_cpu_backend());
    test::expect_same_bits_by_threads(runner);
}

}  // namespace
}  // namespace lossmap
