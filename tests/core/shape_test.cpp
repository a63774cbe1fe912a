#include "core/shape.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace lossmap {
namespace {

TEST(Shape, CountsElements) {
    EXPECT_EQ(element_count(Shape{}), 1);
    EXPECT_EQ(element_count(Shape{2, 3, 4}), 24);
    EXPECT_EQ(element_count(Shape{2, 0, 4}), 0);
}

TEST(Shape, RefusesWhatCannotBeCounted) {
    constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
    EXPECT_THROW((void)element_count(Shape{kHuge, 2}), InputError);
    EXPECT_THROW((void)element_count(Shape{3, -1}), InputError);
    EXPECT_EQ(element_count(Shape{kHuge, 0, kHuge}), 0);
}

TEST(Shape, StridesAreRowMajor) { EXPECT_EQ(row_major_strides(Shape{2, 3, 4}), (Shape{12, 4, 1})); }

TEST(Shape, NormalizesAxes) {
    EXPECT_EQ(normalize_axis(-1, 3), 2);
    EXPECT_EQ(normalize_axis(2, 3), 2);
    EXPECT_THROW((void)normalize_axis(3, 3), InputError);
    EXPECT_THROW((void)normalize_axis(-4, 3), InputError);
    EXPECT_THROW((void)normalize_axis(0, 0), InputError);
}

TEST(Shape, BroadcastsAsNumpy) {
    EXPECT_EQ(broadcast(Shape{2, 1, 4}, Shape{3, 1}), (Shape{2, 3, 4}));
    EXPECT_EQ(broadcast(Shape{}, Shape{5}), (Shape{5}));
    EXPECT_EQ(broadcast(Shape{1}, Shape{0}), (Shape{0}));
    EXPECT_THROW((void)broadcast(Shape{2}, Shape{3}), InputError);
}

TEST(Shape, Prints) {
    EXPECT_EQ(to_string(Shape{2, 3}), "[2, 3]");
    EXPECT_EQ(to_string(Shape{}), "[]");
}

}  // namespace
}  // namespace lossmap
