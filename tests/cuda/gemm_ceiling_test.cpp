#include "cuda/backend/gemm_ceiling.hpp"

#include <gtest/gtest.h>

#include "tests/support/host_device.hpp"

namespace lossmap {
namespace {

/// A product takes a millisecond.
test::HostDeviceOptions slow() {
    test::HostDeviceOptions options;
    options.ways.front().seconds = 1e-3;
    return options;
}

TEST(GemmCeiling, IsARateInEachPrecision) {
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}) {
        test::HostDevice device(slow());
        const Ceiling ceiling = cuda::measure_gemm_ceiling(device, precision, 24, 0.0);
        EXPECT_NEAR(ceiling.flops_per_second, 2.0 * 24 * 24 * 24 / 1e-3, 1.0) << name_of(precision);
        EXPECT_NEAR(ceiling.at_hand, ceiling.flops_per_second, 1.0) << name_of(precision);
        // Two matrices of numbers, converted; a product to get warm, and one that is timed.
        EXPECT_EQ(device.counts().launches, 6) << name_of(precision);
        EXPECT_EQ(device.counts().timed_marks, 2) << name_of(precision);
    }
}

TEST(GemmCeiling, RunsUntilTheTimeIsOver) {
    test::HostDevice device(slow());
    static_cast<void>(cuda::measure_gemm_ceiling(device, Precision::fp32, 24, 0.0195));
    EXPECT_EQ(device.counts().timed_marks, 2 * 20);
}

TEST(GemmCeiling, SaysThatMemoryDoesNotSuffice) {
    test::HostDeviceOptions options = slow();
    options.most_bytes_at_once = 1000;
    test::HostDevice device(options);
    EXPECT_THROW(static_cast<void>(cuda::measure_gemm_ceiling(device, Precision::fp32, 24, 0.0)),
                 cuda::OutOfDeviceMemory);
}

}  // namespace
}  // namespace lossmap
