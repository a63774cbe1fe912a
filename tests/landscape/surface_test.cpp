#include "landscape/surface.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "core/error.hpp"

namespace lossmap {
namespace {

TEST(Linspace, IsNumpys) {
    // numpy.linspace(-1, 1, 51)[[1, 17, 49]] and numpy.linspace(-0.3, 0.7, 8) as numpy prints them.
    const std::vector<double> values = linspace(-1.0, 1.0, 51);
    ASSERT_EQ(values.size(), 51u);
    EXPECT_EQ(values[1], -0.96);
    EXPECT_EQ(values[17], -0.31999999999999995);
    EXPECT_EQ(values[25], 0.0);
    EXPECT_EQ(values[49], 0.96);
    EXPECT_EQ(values[50], 1.0);
    EXPECT_THAT(linspace(-0.3, 0.7, 8),
                testing::ElementsAre(-0.3, -0.15714285714285714, -0.01428571428571429, 0.12857142857142856,
                                     0.2714285714285714, 0.4142857142857142, 0.5571428571428572, 0.7));
}

TEST(Linspace, Edges) {
    EXPECT_THAT(linspace(0.3, 0.3, 1), testing::ElementsAre(0.3));
    EXPECT_THAT(linspace(0.3, 0.9, 2), testing::ElementsAre(0.3, 0.9));
    EXPECT_EQ(linspace(0.0, 5e-324, 3)[1], 0.0);
    EXPECT_THROW((void)linspace(0.0, 1.0, 0), InputError);
}

TEST(MakeSurface, NothingIsComputed) {
    const Surface surface = make_surface({0.0, 1.0, 2.0}, {0.0, 1.0}, {"train", "test"}, true);
    EXPECT_EQ(surface.point_count(), 6u);
    EXPECT_FALSE(surface.is_line());
    ASSERT_NE(surface.find("test"), nullptr);
    EXPECT_EQ(surface.find("valid"), nullptr);
    EXPECT_THAT(surface.splits[0].loss, testing::Each(-1.0));
    EXPECT_THAT(surface.splits[0].accuracy, testing::Each(-1.0));
    EXPECT_THAT(surface.splits[1].done, testing::Each(0));
    EXPECT_EQ(surface.splits[1].samples.size(), 6u);
    EXPECT_TRUE(std::isnan(make_surface({0.0}, {}, {"train"}, false).splits[0].accuracy[0]));
}

LossSums sums_of(const std::vector<double>& losses, std::int64_t correct) {
    LossSums sums;
    for (const double loss : losses) {
        sums.loss_sum += loss;
        sums.loss_square_sum += loss * loss;
        sums.weight_sum += 1.0;
        ++sums.counted;
        sums.non_finite += std::isfinite(loss) ? 0 : 1;
    }
    sums.correct = correct;
    return sums;
}

TEST(SetResult, MeanAccuracyAndStandardError) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train"}, true);
    SplitSurface& split = surface.splits[0];
    set_result(split, 1, sums_of({1.0, 2.0, 6.0}, 2));
    EXPECT_DOUBLE_EQ(split.loss[1], 3.0);
    EXPECT_DOUBLE_EQ(split.accuracy[1], 200.0 / 3.0);
    EXPECT_NEAR(split.standard_error[1], std::sqrt(7.0 / 3.0), 1e-14);  // sample variance (4 + 1 + 9) / 2
    EXPECT_EQ(split.samples[1], 3);
    EXPECT_EQ(split.done[1], 1);
    EXPECT_EQ(split.done[0], 0);
    EXPECT_EQ(split.loss[0], -1.0);
}

TEST(SetResult, OneSampleAndEqualSamplesHaveNoError) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train"}, true);
    set_result(surface.splits[0], 0, sums_of({2.5}, 1));
    EXPECT_EQ(surface.splits[0].standard_error[0], 0.0);
    set_result(surface.splits[0], 1, sums_of({0.1, 0.1, 0.1}, 0));
    EXPECT_NEAR(surface.splits[0].standard_error[1], 0.0, 1e-8);
}

TEST(SetResult, ExactZeroNanAndInfinityAreResults) {
    Surface surface = make_surface({0.0, 1.0, 2.0}, {}, {"train"}, false);
    SplitSurface& split = surface.splits[0];
    set_result(split, 0, sums_of({0.0, 0.0}, 2));
    set_result(split, 1, sums_of({1.0, std::numeric_limits<double>::quiet_NaN()}, 0));
    set_result(split, 2, sums_of({1.0, std::numeric_limits<double>::infinity()}, 0));
    EXPECT_EQ(split.loss[0], 0.0);
    EXPECT_TRUE(std::isnan(split.loss[1]));
    EXPECT_TRUE(std::isnan(split.standard_error[1]));
    EXPECT_TRUE(std::isinf(split.loss[2]));
    EXPECT_THAT(split.non_finite, testing::ElementsAre(0, 1, 1));
    EXPECT_THAT(split.done, testing::Each(1));
    EXPECT_TRUE(std::isnan(split.accuracy[0]));
}

TEST(ConfidenceInterval, IsTheNormalOneOfADrawWithoutReplacement) {
    SplitSurface split = make_surface({0.0, 1.0, 2.0}, {}, {"train"}, true).splits[0];
    set_result(split, 0, sums_of({1.0, 2.0, 6.0, 3.0}, 2));
    EXPECT_TRUE(std::isnan(confidence_half_width(split, 0))) << "no random draw";
    EXPECT_EQ(sampling_note(split), "");
    split.drawn = 4;
    split.drawn_from = 10;
    // Sample variance 14 / 3; 4 of 10 drawn.
    EXPECT_NEAR(confidence_half_width(split, 0), 1.959963984540054 * std::sqrt(14.0 / 3.0 / 4.0 * 0.6), 1e-12);
    EXPECT_EQ(sampling_note(split), "4 of 10 samples, drawn at random");
    EXPECT_TRUE(std::isnan(confidence_half_width(split, 1))) << "not computed";
    set_result(split, 1, sums_of({1.0, 2.0, std::numeric_limits<double>::infinity(), 1.0}, 0));
    EXPECT_TRUE(std::isnan(confidence_half_width(split, 1))) << "not finite";
    set_result(split, 2, sums_of({1.0, 2.0, 3.0, 4.0, 5.0}, 0));
    EXPECT_TRUE(std::isnan(confidence_half_width(split, 2))) << "several losses a sample";
    set_result(split, 2, sums_of({1.0}, 0));
    EXPECT_TRUE(std::isnan(confidence_half_width(split, 2))) << "one sample has no variance";
}

/// What the interval promises: it covers the mean of all in 95 % of draws.
TEST(ConfidenceInterval, CoversTheMeanOfAllAsOftenAsItSays) {
    constexpr std::size_t kAll = 400;
    constexpr std::size_t kDrawn = 100;
    constexpr int kDraws = 4000;
    std::mt19937_64 random(7);
    std::exponential_distribution<double> losses(1.0);
    std::vector<double> all(kAll);
    std::generate(all.begin(), all.end(), [&] { return losses(random); });
    const double mean = std::accumulate(all.begin(), all.end(), 0.0) / kAll;
    SplitSurface split = make_surface({0.0}, {}, {"train"}, true).splits[0];
    split.drawn = kDrawn;
    split.drawn_from = kAll;
    int covered = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
        std::shuffle(all.begin(), all.end(), random);
        set_result(split, 0, sums_of({all.begin(), all.begin() + kDrawn}, 0));
        covered += std::abs(split.loss[0] - mean) <= confidence_half_width(split, 0) ? 1 : 0;
    }
    // 95 % give or take four standard deviations of this count, and a little less for the skewed losses.
    EXPECT_NEAR(covered, 0.945 * kDraws, 4 * std::sqrt(0.05 * 0.95 * kDraws));
}

}  // namespace
}  // namespace lossmap
