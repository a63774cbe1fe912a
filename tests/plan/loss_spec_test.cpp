#include "plan/loss_spec.hpp"

#include <gtest/gtest.h>

namespace lossmap {
namespace {

TEST(LossSpec, NamesAreThoseOfTheConfiguration) {
    EXPECT_STREQ(name_of(LossKind::cross_entropy), "cross_entropy");
    EXPECT_STREQ(name_of(LossKind::bce_with_logits), "bce_with_logits");
    EXPECT_STREQ(name_of(LossKind::mse), "mse");
    EXPECT_STREQ(name_of(LossKind::mae), "mae");
    EXPECT_STREQ(name_of(LossKind::huber), "huber");
    EXPECT_STREQ(name_of(LossKind::output), "output");
}

TEST(LossSpec, ClassesExistForLabels) {
    EXPECT_TRUE(LossSpec{}.has_classes());
    LossSpec mse;
    mse.kind = LossKind::mse;
    EXPECT_FALSE(mse.has_classes());
    mse.one_hot_targets = true;
    EXPECT_TRUE(mse.has_classes());
}

}  // namespace
}  // namespace lossmap
