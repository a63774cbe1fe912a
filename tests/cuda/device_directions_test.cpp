#include "cuda/backend/device_directions.hpp"

#include <gtest/gtest.h>

#include "cuda/backend/cuda_backend.hpp"
#include "tests/support/host_device.hpp"
#include "tests/support/network_runner.hpp"

namespace lossmap {
namespace {

using test::HostDevice;
using test::NetworkRunner;
using test::small_net;

class DeviceDirections : public ::testing::Test {
protected:
    ExecutableRequest request() {
        ExecutableRequest request = runner_.request();
        request.graph = &runner_.net().graph();
        request.space = &runner_.net().space();
        request.origin = &runner_.net().origin();
        return request;
    }
    std::unique_ptr<DirectionMaker> maker() {
        return backend_->direction_maker(runner_.net().space(), runner_.net().origin().weights);
    }

    std::shared_ptr<HostDevice> device_ = std::make_shared<HostDevice>();
    std::shared_ptr<Backend> backend_ = cuda::make_cuda_backend({device_});
    NetworkRunner runner_{small_net(), 4, 5, backend_};
};

TEST_F(DeviceDirections, StayWhereTheyWereMade) {
    const MadeWeights made = maker()->gaussian(1, 0, {});
    const auto bytes = static_cast<std::int64_t>(made.weights.size() * sizeof(float));
    EXPECT_EQ(device_->bytes_in_use(), bytes) << "the direction alone";
    ExecutableRequest own = request();
    own.axes = {{made.weights, {}, made.resident}};
    auto executable = backend_->compile(own);
    const std::int64_t with_resident = device_->bytes_in_use();
    executable.reset();
    EXPECT_EQ(device_->bytes_in_use(), bytes);
    own.axes = {{made.weights, {}}};
    executable = backend_->compile(own);
    EXPECT_EQ(device_->bytes_in_use(), with_resident + bytes) << "the direction, and a copy of it";
}

TEST_F(DeviceDirections, AreCopiedToAnotherDevice) {
    const MadeWeights made = maker()->gaussian(1, 0, {});
    ExecutableRequest there = request();
    there.axes = {{made.weights, {}, made.resident}};
    const auto other = std::make_shared<HostDevice>();
    const auto executable = cuda::make_cuda_backend({other})->compile(there);
    // An emulated device throws where work touches memory that is not its own.
    const Point point{{0.5}};
    LossSums sums;
    executable->evaluate({&point, 1}, runner_.chunk(), {&sums, 1});
    EXPECT_EQ(sums.counted, 4);
}

TEST_F(DeviceDirections, LiveAsLongAsTheirExecutable) {
    std::unique_ptr<Executable> executable;
    {
        const MadeWeights made = maker()->gaussian(1, 0, {});
        ExecutableRequest own = request();
        own.axes = {{made.weights, {}, made.resident}};
        executable = backend_->compile(own);
    }
    const Point point{{0.5}};
    LossSums sums;
    executable->evaluate({&point, 1}, runner_.chunk(), {&sums, 1});
    EXPECT_EQ(sums.counted, 4);
    executable.reset();
    EXPECT_EQ(device_->bytes_in_use(), 0);
}

}  // namespace
}  // namespace lossmap
