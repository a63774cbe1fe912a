#include <cmath>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "bench/split_scheme.hpp"

// What the error of split products is measured with.
namespace lossmap::bench {
namespace {

const Scheme& scheme(const std::string& name) {
    static const std::vector<Scheme> all = schemes();
    for (const Scheme& one : all)
        if (one.name == name) return one;
    throw std::runtime_error(name);
}

TEST(SplitScheme, PartsAddUpToTheValue) {
    for (const float value : {1.0F, -0.3333333F, 1234.567F, 3.1415927F}) {
        EXPECT_NEAR(scheme("fp16 x 3").stored(value), value, std::abs(value) * 0x1p-21F);
        EXPECT_NEAR(scheme("tf32 x 3").stored(value), value, std::abs(value) * 0x1p-21F);
        EXPECT_NEAR(scheme("bf16 x 3").stored(value), value, std::abs(value) * 0x1p-16F);
        EXPECT_EQ(scheme("bf16 x 6").stored(value), value);  // three times 8 bits
        const Parts parts = scheme("fp16 x 3").split(value);
        EXPECT_EQ(parts[0], half_to_float(float_to_half(value)));
        EXPECT_LE(std::abs(parts[1]), std::abs(value) * 0x1p-10F);
    }
    EXPECT_TRUE(std::isinf(scheme("fp16 x 3").split(70000.0F)[0]));
    EXPECT_EQ(scheme("bf16 x 3").split(70000.0F)[0], 70144.0F);
    EXPECT_EQ(to_tf32(1.0F + 0x1p-11F), 1.0F + 0x1p-10F);  // ties away from zero
    EXPECT_EQ(to_tf32(1.0F + 0x1p-12F), 1.0F);
}

TEST(SplitScheme, SumsAreCutOffAsTensorCoresDo) {
    const float ones[2] = {1.0F, 1.0F}, small[2] = {0x1p-24F, 0x1p-24F}, tiny[2] = {0x1.8p-25F, 0x1.8p-25F};
    // Exact where nothing is lost.
    const float a[3] = {3.0F, -5.0F, 0.5F}, b[3] = {7.0F, 2.0F, 0.25F};
    EXPECT_EQ(tensor_core_sum(100.0F, a, b, 3), 111.125F);
    // One bit below the last place survives the alignment, so that two of them count; what is below it does not.
    EXPECT_EQ(tensor_core_sum(1.0F, ones, small, 1), 1.0F);
    EXPECT_EQ(tensor_core_sum(1.0F, ones, small, 2), 1.0F + 0x1p-23F);
    EXPECT_EQ(tensor_core_sum(1.0F, ones, tiny, 2), 1.0F);
    // Towards zero, on both sides.
    const float third[1] = {0x1.8p-23F}, minus[1] = {-1.0F};
    EXPECT_EQ(tensor_core_sum(1.0F, ones, third, 1), 1.0F + 0x1p-23F);
    EXPECT_EQ(tensor_core_sum(-1.0F, minus, third, 1), -1.0F - 0x1p-23F);
    EXPECT_EQ(tensor_core_sum(0.0F, ones, ones, 0), 0.0F);
    EXPECT_EQ(tensor_core_sum(-2.0F, ones, ones, 2), 0.0F);
    const float infinite[1] = {INFINITY}, nan[1] = {NAN}, zero[1] = {0.0F};
    EXPECT_EQ(tensor_core_sum(1.0F, ones, infinite, 1), INFINITY);
    EXPECT_TRUE(std::isnan(tensor_core_sum(1.0F, zero, infinite, 1)));
    EXPECT_TRUE(std::isnan(tensor_core_sum(1.0F, ones, nan, 1)));
}

}  // namespace
}  // namespace lossmap::bench
