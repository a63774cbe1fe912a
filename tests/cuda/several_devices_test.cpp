#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::grid;
using test::HostDevice;
using test::HostDeviceOptions;
using test::NetworkRunner;
using test::small_net;
using ::testing::HasSubstr;

std::vector<std::shared_ptr<cuda::Device>> devices(std::size_t count, const HostDeviceOptions& options = {}) {
    std::vector<std::shared_ptr<cuda::Device>> result;
    for (std::size_t k = 0; k < count; ++k)
        result.push_back(std::make_shared<HostDevice>(options));
    return result;
}

std::shared_ptr<Backend> backend_of(std::vector<std::shared_ptr<cuda::Device>> devices) {
    return cuda::make_cuda_backend(std::move(devices));
}

std::int64_t launches(const cuda::Device& device) { return static_cast<const HostDevice&>(device).counts().launches; }

TEST(SeveralDevices, GiveTheBitsOfOne) {
    const NetworkRunner alone(small_net(), 9, 5, backend_of(devices(1)));
    const std::vector<LossSums> expected = alone.sums(*alone.compile(), grid());
    for (const std::size_t count : {2, 3}) {
        const auto several = devices(count);
        const NetworkRunner runner(small_net(), 9, 5, backend_of(several));
        const auto executable = runner.compile();
        EXPECT_EQ(runner.sums(*executable, grid()), expected) << count << " devices";
        // Fewer points than devices, too.
        EXPECT_EQ(runner.sums(*executable, {grid()[5]})[0], expected[5]);
        for (const auto& device : several)
            EXPECT_GT(launches(*device), 0);
        EXPECT_EQ(executable->plan_json(), alone.compile()->plan_json());
    }
}

TEST(SeveralDevices, ShareTheWorkInWholePasses) {
    HostDeviceOptions options;
    options.most_points = 2;
    const auto two = devices(2, options);
    NetworkRunner runner(small_net(), 4, 5, backend_of(two));
    runner.request().tile_samples = 4;
    const auto executable = runner.compile();
    EXPECT_EQ(executable->points_per_pass(), 4) << "two a device";
    const std::int64_t first = launches(*two[0]);
    const std::int64_t second = launches(*two[1]);
    static_cast<void>(runner.sums(*executable, grid()));  // 12 points: 3 passes each
    EXPECT_EQ(launches(*two[0]) - first, launches(*two[1]) - second);
}

TEST(SeveralDevices, EstimateStatisticsTogether) {
    const std::vector<Point> points = grid();
    const auto estimate = [&](std::size_t count) {
        NetworkRunner runner(small_net(), 7, 5, backend_of(devices(count)));
        runner.request().statistics_batches = {4, 3};
        std::vector<StatisticSums> sums(points.size());
        runner.compile()->estimate_statistics(points, runner.chunk(), 4, sums);
        return sums;
    };
    const auto expected = estimate(1);
    const auto together = estimate(3);
    for (std::size_t k = 0; k < points.size(); ++k)
        EXPECT_EQ(together[k].sums, expected[k].sums);
}

TEST(SeveralDevices, OfDifferentMemoryComputeWithOnePlan) {
    HostDeviceOptions small;
    small.pass_bytes = 1 << 17;
    auto mixed = devices(1);
    mixed.push_back(std::make_shared<HostDevice>(small));
    const NetworkRunner runner(small_net(), 9, 5, backend_of(mixed));
    const NetworkRunner alone(small_net(), 9, 5, backend_of(devices(1, small)));
    const auto executable = runner.compile();
    EXPECT_EQ(executable->plan_json(), alone.compile()->plan_json());
    EXPECT_EQ(runner.sums(*executable, grid()), alone.sums(*alone.compile(), grid()));
}

TEST(SeveralDevices, ThatWouldComputeDifferentlyAreRefused) {
    HostDeviceOptions one;
    one.tiles_convolutions = false;
    HostDeviceOptions other = one;
    other.has_convolutions = false;
    auto mixed = devices(1, one);
    mixed.push_back(std::make_shared<HostDevice>(other));
    const NetworkRunner runner(small_net(), 9, 5, backend_of(mixed));
    try {
        static_cast<void>(runner.compile());
        FAIL() << "the second device has other convolutions";
    } catch (const UnsupportedError& error) {
        EXPECT_THAT(error.what(), HasSubstr("use devices of one kind"));
    }
}

TEST(SeveralDevices, AnErrorOfOneIsThatOfTheCall) {
    NetworkRunner runner(small_net(), 8, 5, backend_of(devices(2)));
    const auto executable = runner.compile();
    const_cast<SampleChunk&>(runner.chunk()).target.as<std::int64_t>()[6] = 5;
    EXPECT_THROW(static_cast<void>(runner.sums(*executable, grid())), InputError);
    const_cast<SampleChunk&>(runner.chunk()).target.as<std::int64_t>()[6] = 1;
    EXPECT_EQ(runner.sums(*executable, grid()).front().counted, 8);
}

}  // namespace
}  // namespace lossmap
