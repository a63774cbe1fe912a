#include "cpu/fma_ceiling.hpp"

#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"

namespace lossmap {
namespace {

TEST(FmaCeiling, IsWhatTheBackendTells) {
    const auto ceiling = make_cpu_backend()->measure_ceiling(Precision::fp32, 1, 0.01);
    if (cpu::measure_fma_ceiling(0.001).gflops == 0.0) {
        EXPECT_FALSE(ceiling.has_value());
        GTEST_SKIP() << "no fused multiply-adds on this machine";
    }
    ASSERT_TRUE(ceiling.has_value());
    // Between a slow core that is shared and what no core has: a probe that is optimised away shows thousands.
    EXPECT_GT(ceiling->flops_per_second, 1e8);
    EXPECT_LT(ceiling->flops_per_second, 1e12);
    EXPECT_GT(ceiling->at_hand, 0.0);
    EXPECT_LE(ceiling->at_hand, 1.0001 * ceiling->flops_per_second);
    EXPECT_NE(ceiling->what.find("1 thread"), std::string::npos) << ceiling->what;
}

TEST(FmaCeiling, AddsUpTheRatesOfThreads) {
    const cpu::FmaCeiling one = cpu::measure_fma_ceiling(1, 0.02);
    const cpu::FmaCeiling three = cpu::measure_fma_ceiling(3, 0.02);
    EXPECT_EQ(one.instructions, three.instructions);
    if (one.gflops == 0.0) GTEST_SKIP() << "no fused multiply-adds on this machine";
    // Each counts the best of its own rounds, which may have a core to themselves for a moment.
    EXPECT_GT(three.gflops, one.gflops);
}

}  // namespace
}  // namespace lossmap
