#include "cuda/backend/located.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/kernel_shapes.hpp"

namespace lossmap::cuda {
namespace {

Located array(Shape shape, Shape strides) {
    Located result;
    result.shape = std::move(shape);
    result.strides = std::move(strides);
    return result;
}

TEST(Located, KnowsItsForm) {
    EXPECT_TRUE(array({2, 3, 4}, {12, 4, 1}).is_dense());
    EXPECT_TRUE(array({2, 1, 4}, {4, 77, 1}).is_dense());
    EXPECT_FALSE(array({2, 3, 4}, {12, 1, 3}).is_dense());
    EXPECT_TRUE(array({2, 3, 4}, {12, 1, 3}).is_compact());
    EXPECT_TRUE(array({2, 3, 4}, {12, 1, 3}).is_channels_last(3));
    EXPECT_FALSE(array({2, 3, 4}, {16, 1, 4}).is_compact());
    EXPECT_TRUE(array({2, 3, 4}, {32, 1, 8}).is_channels_last(8));
    EXPECT_FALSE(array({2, 3}, {0, 1}).is_compact());
    // One pixel: dense and channels-last are the same bytes.
    EXPECT_TRUE(array({2, 3, 1, 1}, {3, 1, 3, 3}).is_dense());
}

TEST(Located, KnowsWhetherSamplesLieOutermost) {
    EXPECT_TRUE(has_samples_outermost(array({8}, {1}), 8));
    EXPECT_TRUE(has_samples_outermost(array({8, 3, 5}, {15, 5, 1}), 8));
    EXPECT_TRUE(has_samples_outermost(array({8, 3, 5, 5}, {75, 1, 15, 3}), 8));
    EXPECT_TRUE(has_samples_outermost(array({8, 3, 5, 5}, {200, 1, 40, 8}), 8));  // channels padded
    EXPECT_TRUE(has_samples_outermost(array({8, 1, 5}, {5, 99, 1}), 8));
    EXPECT_FALSE(has_samples_outermost(array({}, {}), 8));
    EXPECT_FALSE(has_samples_outermost(array({4, 3}, {3, 1}), 8));
    EXPECT_FALSE(has_samples_outermost(array({8, 8, 5}, {40, 5, 1}), 8));    // either may be tokens
    EXPECT_FALSE(has_samples_outermost(array({8, 24, 5}, {120, 5, 1}), 8));  // the second may be samples and rows
    EXPECT_FALSE(has_samples_outermost(array({8, 3, 5}, {5, 40, 1}), 8));    // tokens lie in front
}

TEST(Located, SpansWhatItTouches) {
    Located a = array({2, 3}, {8, 2});
    a.offset = 5;
    a.point_stride = 100;
    EXPECT_EQ(a.begin_bytes(), 20u);
    EXPECT_EQ(a.span_bytes(1), (8 + 2 * 2 + 1) * 4u);
    EXPECT_EQ(a.span_bytes(3), (200 + 8 + 2 * 2 + 1) * 4u);
    EXPECT_EQ(array({2, 0}, {0, 1}).span_bytes(2), 0u);
}

TEST(Located, ReshapesWithoutMovingWhereThatIsPossible) {
    EXPECT_EQ(reshaped_strides({2, 3, 4}, {12, 4, 1}, {6, 4}), (Shape{4, 1}));
    EXPECT_EQ(reshaped_strides({2, 12}, {24, 1}, {2, 3, 4}), (Shape{24, 4, 1}));
    EXPECT_EQ(reshaped_strides({2, 3, 1, 1}, {3, 1, 3, 3}, {2, 3}), (Shape{3, 1}));
    EXPECT_EQ(reshaped_strides({4, 6}, {1, 4}, {2, 2, 6}), (Shape{2, 1, 4}));
    EXPECT_EQ(reshaped_strides({2, 3, 4}, {12, 1, 3}, {2, 12}), std::nullopt);
    EXPECT_EQ(reshaped_strides({2, 3, 4}, {12, 1, 3}, {24}), std::nullopt);
    const auto with_ones = reshaped_strides({6}, {2}, {1, 6, 1});
    ASSERT_TRUE(with_ones.has_value());
    EXPECT_EQ((*with_ones)[1], 2);
}

TEST(Located, BroadcastsByRepeating) {
    EXPECT_EQ(broadcast_strides({3, 1}, {1, 1}, {2, 3, 4}), (Shape{0, 1, 0}));
    EXPECT_EQ(broadcast_strides({}, {}, {2, 3}), (Shape{0, 0}));
}

TEST(KernelShapes, OrderDimensionsAsTheyLie) {
    const auto order = storage_order({2, 3, 4, 5}, {60, 1, 15, 3});
    EXPECT_EQ(in_order({2, 3, 4, 5}, order), (Shape{2, 4, 5, 3}));
    const AxisSplit split = split_at({2, 3, 4}, 1);
    EXPECT_EQ(split.outer, 2);
    EXPECT_EQ(split.count, 3);
    EXPECT_EQ(split.inner, 4);
    EXPECT_THROW(static_cast<void>(dims_of(Shape(9, 1))), UnsupportedError);
}

}  // namespace
}  // namespace lossmap::cuda
