#include <array>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/support/host_device.hpp"

// The emulated device finds what a GPU would punish now and then.
namespace lossmap {
namespace {

using cuda::Access;
using test::HostDevice;
using test::HostDeviceOptions;
using test::Pace;
using ::testing::HasSubstr;

void store(cuda::Queue& queue, float* target, float value) {
    const std::array<Access, 1> accesses{Access{target, sizeof(float), true}};
    queue.launch("store", accesses, [=](void*) { *target = value; });
}

void add_to(cuda::Queue& queue, float* target, const float* source) {
    const std::array<Access, 2> accesses{Access{source, sizeof(float), false}, Access{target, sizeof(float), true}};
    queue.launch("add", accesses, [=](void*) { *target += *source; });
}

std::string message(const std::function<void()>& body) {
    try {
        body();
    } catch (const InternalError& error) {
        return error.what();
    }
    return "";
}

TEST(EmulatedDevice, FreshMemoryIsNaN) {
    HostDevice device;
    const cuda::Memory memory = device.allocate(64);
    EXPECT_TRUE(std::isnan(memory.as<float>()[3]));
    EXPECT_TRUE(std::isnan(memory.as<double>()[1]));
}

TEST(EmulatedDevice, MemoryIsLimited) {
    HostDeviceOptions options;
    options.memory_bytes = 1000;
    HostDevice device(options);
    cuda::Memory first = device.allocate(600);
    EXPECT_THROW(static_cast<void>(device.allocate(600)), cuda::OutOfDeviceMemory);
    first = {};
    EXPECT_EQ(device.allocate(600).size_bytes(), 600u);
}

TEST(EmulatedDevice, LazyWorkRunsWhenSomethingWaitsForIt) {
    HostDevice device;
    const cuda::Memory memory = device.allocate(8);
    const auto queue = device.make_queue();
    store(*queue, memory.as<float>(), 1.0F);
    EXPECT_TRUE(std::isnan(*memory.as<float>()));
    queue->synchronize();
    EXPECT_EQ(*memory.as<float>(), 1.0F);
}

TEST(EmulatedDevice, TwoQueuesNeedAMark) {
    for (const Pace pace : {Pace::lazy, Pace::eager}) {
        HostDeviceOptions options;
        options.pace = pace;
        HostDevice device(options);
        const cuda::Memory memory = device.allocate(8);
        float* value = memory.as<float>();
        const auto first = device.make_queue();
        const auto second = device.make_queue();
        store(*first, value, 1.0F);
        EXPECT_THAT(message([&] { store(*second, value, 2.0F); }), HasSubstr("no mark orders them"));
        second->wait(first->mark());
        EXPECT_EQ(message([&] { store(*second, value, 2.0F); }), "");
        second->synchronize();
        EXPECT_EQ(*value, 2.0F);
    }
}

TEST(EmulatedDevice, AHostThatWaitedOrdersQueues) {
    HostDevice device;
    const cuda::Memory memory = device.allocate(8);
    const auto first = device.make_queue();
    const auto second = device.make_queue();
    store(*first, memory.as<float>(), 1.0F);
    first->mark()->synchronize();
    EXPECT_EQ(message([&] { store(*second, memory.as<float>(), 2.0F); }), "");
}

TEST(EmulatedDevice, AMarkDoesNotCoverLaterWork) {
    HostDevice device;
    const cuda::Memory memory = device.allocate(8);
    const auto first = device.make_queue();
    const auto second = device.make_queue();
    const auto early = first->mark();
    store(*first, memory.as<float>(), 1.0F);
    second->wait(early);
    EXPECT_THAT(message([&] { store(*second, memory.as<float>(), 2.0F); }), HasSubstr("no mark orders them"));
}

TEST(EmulatedDevice, ReadersDoNotDisturbEachOther) {
    HostDevice device;
    const cuda::Memory source = device.allocate(8);
    const cuda::Memory sums = device.allocate(8);
    const auto first = device.make_queue();
    const auto second = device.make_queue();
    store(*first, source.as<float>(), 1.0F);
    store(*first, sums.as<float>(), 0.0F);
    store(*first, sums.as<float>() + 1, 0.0F);
    second->wait(first->mark());
    EXPECT_EQ(message([&] {
                  add_to(*first, sums.as<float>(), source.as<float>());
                  add_to(*second, sums.as<float>() + 1, source.as<float>());
              }),
              "");
}

TEST(EmulatedDevice, AccessesOutsideMemoryAreFound) {
    HostDevice device;
    cuda::Memory memory = device.allocate(8);
    const auto queue = device.make_queue();
    float* value = memory.as<float>();
    EXPECT_THAT(message([&] { store(*queue, value + 2, 1.0F); }), HasSubstr("8 of an allocation of 8"));
    memory = {};
    EXPECT_THAT(message([&] { store(*queue, value, 1.0F); }), HasSubstr("not the device's"));
    float own = 0.0F;
    EXPECT_THAT(message([&] { store(*queue, &own, 1.0F); }), HasSubstr("not the device's"));
}

TEST(EmulatedDevice, ARecordingRunsWhenItIsReplayed) {
    HostDevice device;
    const cuda::Memory memory = device.allocate(8);
    float* value = memory.as<float>();
    const auto queue = device.make_queue();
    store(*queue, value, 1.0F);
    store(*queue, value + 1, 2.0F);
    const auto recording = queue->record([&] { add_to(*queue, value, value + 1); });
    queue->synchronize();
    EXPECT_EQ(value[0], 1.0F);
    queue->replay(*recording);
    queue->replay(*recording);
    queue->synchronize();
    EXPECT_EQ(value[0], 5.0F);
    EXPECT_EQ(device.counts().replays, 2);
    EXPECT_THROW(static_cast<void>(queue->record([&] { queue->synchronize(); })), InternalError);
}

}  // namespace
}  // namespace lossmap
