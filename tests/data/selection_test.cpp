#include "data/selection.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/shape_fit.hpp"
#include "tests/io/expect_input_error.hpp"

namespace lossmap {
namespace {

using test::expect_input_error;
using testing::ElementsAre;

std::vector<std::int64_t> samples_of(const Selection& selection, std::int64_t begin, std::int64_t count) {
    std::vector<std::int64_t> samples;
    selection.for_each_run(begin, count, [&](std::int64_t first, std::int64_t length, std::int64_t position) {
        EXPECT_EQ(position, static_cast<std::int64_t>(samples.size()));
        for (std::int64_t i = 0; i < length; ++i)
            samples.push_back(first + i);
    });
    return samples;
}

TEST(Selection, InOrder) {
    const Selection rest = select_in_order({4, std::nullopt, false, 0}, 10, "f");
    EXPECT_THAT(samples_of(rest, 0, rest.size()), ElementsAre(4, 5, 6, 7, 8, 9));
    const Selection some = select_in_order({4, 6, false, 0}, 10, "f");
    EXPECT_THAT(samples_of(some, 2, 3), ElementsAre(6, 7, 8));
    expect_input_error(
        [] {
            (void)select_in_order({5, 6, false, 0}, 10, "f");
        },
        {"f: the subset takes 6 samples from sample 5 on, but there are 10"});
    expect_input_error([] { (void)select_in_order({10, std::nullopt, false, 0}, 10, "f"); }, {"there are 10"});
    expect_input_error([] { (void)select_in_order({-1, 2, false, 0}, 10, "f"); }, {"sample -1"});
    expect_input_error([] { (void)select_in_order({0, 0, false, 0}, 10, "f"); }, {"at least 1"});
    expect_input_error([] { (void)select_in_order({1, std::int64_t{1} << 62, false, 0}, 10, "f"); }, {"there are 10"});
}

TEST(Selection, RunsAreJoined) {
    const Selection selection(std::vector<std::int64_t>{1, 2, 3, 7, 9, 10}, 20);
    std::vector<std::vector<std::int64_t>> runs;
    selection.for_each_run(1, 5, [&](std::int64_t first, std::int64_t count, std::int64_t position) {
        runs.push_back({first, count, position});
    });
    EXPECT_THAT(runs, ElementsAre(ElementsAre(2, 2, 0), ElementsAre(7, 1, 2), ElementsAre(9, 2, 3)));
    EXPECT_THROW(selection.for_each_run(5, 2, [](std::int64_t, std::int64_t, std::int64_t) {}), InternalError);
}

// 50 of class 0, 30 of class 1, 17 of class 2, 3 of class 7, interleaved.
std::vector<std::int64_t> labels() {
    std::vector<std::int64_t> labels;
    const std::map<std::int64_t, int> sizes = {{0, 50}, {1, 30}, {2, 17}, {7, 3}};
    for (int i = 0; i < 50; ++i) {
        for (const auto& [label, size] : sizes) {
            if (i < size) labels.push_back(label);
        }
    }
    return labels;
}

TEST(Selection, StratifiedKeepsProportionsByLargestRemainder) {
    const std::vector<std::int64_t> all = labels();
    const Selection selection = select_stratified({0, 10, true, 3}, all, "f");
    const std::vector<std::int64_t> samples = samples_of(selection, 0, selection.size());
    ASSERT_EQ(samples.size(), 10u);
    EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
    EXPECT_EQ(std::adjacent_find(samples.begin(), samples.end()), samples.end());
    std::map<std::int64_t, int> counts;
    for (const std::int64_t sample : samples)
        ++counts[all[static_cast<std::size_t>(sample)]];
    // Shares 5, 3, 1.7, 0.3: the one left over goes to the remainder 0.7.
    EXPECT_EQ(counts, (std::map<std::int64_t, int>{{0, 5}, {1, 3}, {2, 2}}));
}

TEST(Selection, StratifiedFollowsTheSeed) {
    const std::vector<std::int64_t> all = labels();
    const auto draw = [&](std::uint64_t seed) {
        const Selection selection = select_stratified({0, 20, true, seed}, all, "f");
        return samples_of(selection, 0, selection.size());
    };
    EXPECT_EQ(draw(3), draw(3));
    EXPECT_NE(draw(3), draw(4));
    const Selection everything = select_stratified({0, 100, true, 1}, all, "f");
    EXPECT_EQ(samples_of(everything, 0, 100).back(), 99);
    EXPECT_EQ(everything.drawn_from(), std::nullopt);
    EXPECT_EQ(select_stratified({0, 20, true, 1}, all, "f").drawn_from(), 100);
    EXPECT_EQ(Selection(0, 20).drawn_from(), std::nullopt);
    expect_input_error(
        [&] {
            (void)select_stratified({0, 101, true, 1}, all, "f");
        },
        {"takes 101 samples, but there are 100"});
    expect_input_error([&] { (void)select_stratified({0, std::nullopt, true, 1}, all, "f"); }, {"needs a count"});
    expect_input_error([&] { (void)select_stratified({3, 5, true, 1}, all, "f"); }, {"has no start"});
}

TEST(Selection, StratifiedDrawsEverySampleEquallyOften) {
    const std::vector<std::int64_t> all(10, 0);
    std::vector<int> counts(10);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        const Selection selection = select_stratified({0, 3, true, seed}, all, "f");
        for (const std::int64_t sample : samples_of(selection, 0, 3))
            ++counts[static_cast<std::size_t>(sample)];
    }
    // 600 expected, standard deviation 20.5.
    EXPECT_THAT(counts, testing::Each(testing::AllOf(testing::Gt(500), testing::Lt(700))));
}

TEST(FitShape, OnlyLeadingOnesComeAndGo) {
    EXPECT_EQ(fit_shape({1, 28, 28}, {28, 28}), (Shape{28, 28}));
    EXPECT_EQ(fit_shape({28, 28}, {1, 28, 28}), (Shape{1, 28, 28}));
    EXPECT_EQ(fit_shape({3, 5}, {-1, 5}), (Shape{3, 5}));
    EXPECT_EQ(fit_shape({}, {}), Shape{});
    EXPECT_EQ(fit_shape({1}, {}), Shape{});
    EXPECT_FALSE(fit_shape({1, 28, 28}, {784}));
    EXPECT_FALSE(fit_shape({28, 28, 1}, {28, 28}));
    EXPECT_FALSE(fit_shape({3, 4}, {4, 3}));
}

}  // namespace
}  // namespace lossmap
