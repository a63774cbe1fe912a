#include "cpu/elementwise.hpp"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lossmap {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(CpuElementwise, LoopsKeepNaN) {
    // Long enough for the vector part and the rest behind it.
    for (const std::size_t position : {std::size_t{0}, std::size_t{17}, std::size_t{36}}) {
        std::vector<float> x(37, -1.0F);
        x[position] = kNaN;
        std::vector<float> y = x;
        cpu::relu(x.data(), x.size());
        cpu::clip(y.data(), y.size(), -0.5F, 0.5F);
        std::vector<float> low(37, 2.0F);
        std::vector<float> high = low;
        cpu::maximum(low.data(), x.data(), x.size());
        std::swap(x, high);
        cpu::maximum(high.data(), x.data(), x.size());
        for (std::size_t k = 0; k < 37; ++k) {
            EXPECT_EQ(std::isnan(y[k]), k == position);
            EXPECT_EQ(std::isnan(low[k]), k == position);
            EXPECT_EQ(std::isnan(high[k]), k == position);
        }
    }
    float values[] = {-kInfinity, kInfinity, -0.0F, 3.0F};
    cpu::relu(values, 4);
    EXPECT_EQ(values[0], 0.0F);
    EXPECT_EQ(values[1], kInfinity);
    EXPECT_EQ(values[3], 3.0F);
}

}  // namespace
}  // namespace lossmap
