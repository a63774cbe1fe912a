#include "cuda/backend/device_algebra.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "cpu/cpu_backend.hpp"
#include "landscape/trajectory.hpp"
#include "tests/support/host_device.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::HostDeviceOptions;
using ::testing::HasSubstr;

constexpr std::size_t kRows = 6;
constexpr std::size_t kLength = 7 * LinearAlgebra::kChunk + 100;

SquareMatrix gram_on(const std::shared_ptr<HostDevice>& device) {
    std::vector<float> rows(kRows * kLength);
    for (std::size_t k = 0; k < rows.size(); ++k)
        rows[k] = gaussian(1, 0, 2, k);
    SquareMatrix gram(kRows);
    cuda::make_device_algebra(device)->add_inner_products(rows, gram);
    return gram;
}

TEST(DeviceAlgebra, SlicesOfRowsGiveTheBitsOfWholeOnes) {
    const auto roomy = std::make_shared<HostDevice>();
    const SquareMatrix expected = gram_on(roomy);
    EXPECT_EQ(roomy->counts().by_name.at("gram"), 1);
    for (const test::Pace pace : {test::Pace::lazy, test::Pace::eager}) {
        HostDeviceOptions options;
        options.pass_bytes = 1;  // a chunk at a time
        options.pace = pace;
        const auto tight = std::make_shared<HostDevice>(options);
        const SquareMatrix gram = gram_on(tight);
        EXPECT_EQ(tight->counts().by_name.at("gram"), 8);
        for (std::size_t r = 0; r < kRows; ++r) {
            for (std::size_t c = 0; c <= r; ++c)
                EXPECT_EQ(gram.at(r, c), expected.at(r, c));
        }
        EXPECT_EQ(tight->bytes_in_use(), 0);
    }
}

/// Rows by their numbers, so that rows of any length and number can be had.
std::vector<float> rows_of(std::size_t count, std::size_t length) {
    std::vector<float> rows(count * length);
    for (std::size_t k = 0; k < rows.size(); ++k)
        rows[k] = gaussian(1, 0, 3, k);
    return rows;
}

TEST(DeviceAlgebra, KeepsItsMemoryFromCallToCall) {
    HostDeviceOptions options;
    options.pass_bytes = std::int64_t{1} << 18;
    const auto device = std::make_shared<HostDevice>(options);
    const auto algebra = cuda::make_device_algebra(device);
    const auto cpu = make_cpu_backend()->linear_algebra(1);
    constexpr std::size_t kC = LinearAlgebra::kChunk;
    std::int64_t bytes = 0;
    // The first one sets the size: shorter rows, and rows too long for a pass anyway, do with it; more rows do not.
    for (const auto& [count, length] :
         {std::pair{std::size_t{3}, 50 * kC}, {3, 20}, {3, 50 * kC}, {3, 51 * kC + 7}, {5, 3 * kC}}) {
        const std::vector<float> rows = rows_of(count, length);
        SquareMatrix gram(count);
        SquareMatrix expected(count);
        algebra->add_inner_products(rows, gram);
        cpu->add_inner_products(rows, expected);
        for (std::size_t r = 0; r < count; ++r) {
            for (std::size_t c = 0; c <= r; ++c)
                EXPECT_EQ(gram.at(r, c), expected.at(r, c)) << count << " rows of " << length;
        }
        if (bytes == 0) bytes = device->bytes_in_use();
        EXPECT_GT(bytes, 0);
        EXPECT_EQ(device->bytes_in_use() == bytes, count == 3) << count << " rows of " << length;
    }
}

TEST(DeviceAlgebra, SaysWhenTheLibraryFindsNothing) {
    HostDeviceOptions options;
    options.eigen_status = 7;
    const auto device = std::make_shared<HostDevice>(options);
    try {
        static_cast<void>(cuda::make_device_algebra(device)->decompose(SquareMatrix(3)));
        FAIL() << "status 7 is no success";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("not found (host rotations reports 7)"));
    }
    EXPECT_EQ(device->bytes_in_use(), 0);
}

/// Checkpoints of a path that loses speed, with noise around it.
class Path : public ::testing::Test {
protected:
    Path() {
        Parameter parameter;
        parameter.name = "w";
        parameter.shape = {1, kWeights};
        parameter.size = kWeights;
        space_.weights = {parameter};
        trajectory_.checkpoints = 12;
        trajectory_.space = &space_;
        trajectory_.read = [](std::int64_t index, std::int64_t first, std::span<float> weights) {
            for (std::size_t k = 0; k < weights.size(); ++k) {
                const auto at = static_cast<std::uint64_t>(first) + k;
                const float far = std::exp2(-0.5F * static_cast<float>(index));
                weights[k] = far * gaussian(1, 0, 0, at) + 0.3F * far * far * gaussian(1, 1, 0, at) +
                             0.02F * gaussian(1, static_cast<std::uint32_t>(2 + index), 0, at);
            }
        };
    }

    static constexpr std::int64_t kWeights = 3000;
    ParameterSpace space_;
    Trajectory trajectory_;
};

TEST_F(Path, HasThePrincipalComponentsOfTheCpu) {
    for (const bool center : {true, false}) {
        PcaOptions options;
        options.center = center;
        const TrajectoryPca expected = trajectory_pca(trajectory_, options, *make_cpu_backend()->linear_algebra(1));
        const auto algebra = cuda::make_device_algebra(std::make_shared<HostDevice>());
        const TrajectoryPca pca = trajectory_pca(trajectory_, options, *algebra);
        for (std::size_t k = 0; k < expected.singular_values.size(); ++k) {
            EXPECT_NEAR(pca.singular_values[k], expected.singular_values[k], 1e-6 * expected.singular_values[0]);
        }
        for (std::size_t k = 0; k < 2; ++k) {
            EXPECT_NEAR(pca.singular_values[k], expected.singular_values[k], 1e-12 * expected.singular_values[0]);
            for (std::size_t i = 0; i < static_cast<std::size_t>(kWeights); ++i)
                ASSERT_NEAR(pca.components[k].weights[i], expected.components[k].weights[i], 1e-7);
        }
    }
}

TEST(DeviceAlgebra, NamesWhatComputesIt) {
    EXPECT_EQ(cuda::make_device_algebra(std::make_shared<HostDevice>())->implementation(), "host rotations");
}

}  // namespace
}  // namespace lossmap
