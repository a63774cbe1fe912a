#include "core/tensor.hpp"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace lossmap {
namespace {

TEST(Tensor, HoldsAlignedElements) {
    const std::vector<float> values = {1, 2, 3, 4, 5, 6};
    const Tensor tensor = Tensor::from<float>(values, {2, 3});
    EXPECT_EQ(tensor.count(), 6);
    EXPECT_EQ(tensor.size_bytes(), 24u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0u);
    EXPECT_EQ(tensor.as<float>()[4], 5.0f);
}

TEST(Tensor, ReadingAnotherTypeIsAnError) {
    const Tensor tensor = Tensor::scalar<std::int64_t>(3);
    EXPECT_EQ(tensor.as<std::int64_t>()[0], 3);
    EXPECT_THROW((void)tensor.as<float>(), InternalError);
}

TEST(Tensor, CloneIsACopy) {
    Tensor tensor = Tensor::scalar<float>(1.0f);
    const Tensor copy = tensor.clone();
    tensor.as<float>()[0] = 2.0f;
    EXPECT_EQ(copy.as<float>()[0], 1.0f);
}

TEST(Tensor, AnImpossibleSizeIsRefusedBeforeMemoryIsTaken) {
    EXPECT_THROW(Tensor(DType::f64, {std::numeric_limits<std::int64_t>::max() / 2}), InputError);
    EXPECT_THROW(Tensor(DType::f32, {std::int64_t{1} << 58}), Error);
}

TEST(Tensor, EmptyTensorsAreFine) {
    const Tensor tensor(DType::f32, {0, 3});
    EXPECT_EQ(tensor.count(), 0);
    EXPECT_TRUE(tensor.as<float>().empty());
    EXPECT_EQ(tensor.clone().shape(), (Shape{0, 3}));
}

}  // namespace
}  // namespace lossmap
