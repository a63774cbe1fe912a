// NCCL itself, on one GPU with one rank: each function that is used, in the order of a queue. What communicators make
// of them is in communicator_test.cpp.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "cuda/device/nccl_collectives.hpp"
#include "dist/local_communicators.hpp"
#include "tests/dist/nccl_gpu.hpp"

namespace lossmap::cuda {
namespace {

/// Sizes around NCCL's own units, to 64 MiB + 3: pieces of many channels, and an odd rest.
constexpr std::array<std::size_t, 7> kSizes{
    1, 15, 16, 4097, 512 * 1024, (std::size_t{8} << 20) + 1, (std::size_t{64} << 20) + 3};

class Nccl : public ::testing::Test {
protected:
    void SetUp() override {
        const test::NcclGpu& gpu = test::nccl_gpu();
        if (gpu.device == nullptr) GTEST_SKIP() << gpu.why_none;
        device_ = gpu.device;
        queue_ = device_->make_queue();
        const auto alone = make_single_communicator();
        collectives_ = make_nccl_collectives(0, *alone);
    }

    [[nodiscard]] Memory upload(const std::vector<std::byte>& bytes) {
        Memory memory = device_->allocate(bytes.size());
        Memory pinned = device_->allocate_pinned(bytes.size());
        std::memcpy(pinned.data(), bytes.data(), bytes.size());
        queue_->copy_to_device(memory.data(), pinned.data(), bytes.size());
        queue_->synchronize();
        return memory;
    }
    [[nodiscard]] std::vector<std::byte> download(const Memory& memory) {
        Memory pinned = device_->allocate_pinned(memory.size_bytes());
        queue_->copy_to_host(pinned.data(), memory.data(), memory.size_bytes());
        queue_->synchronize();
        return {pinned.data(), pinned.data() + memory.size_bytes()};
    }
    void broadcast(void* data, std::size_t bytes) {
        const Access access{data, bytes, true};
        queue_->launch("broadcast", {&access, 1},
                       [this, data, bytes](void* stream) { collectives_->broadcast(data, bytes, 0, stream); });
    }
    void all_gather(const void* own, void* gathered, std::size_t bytes) {
        const std::array<Access, 2> accesses{Access{own, bytes, false}, Access{gathered, bytes, true}};
        queue_->launch("gather", accesses, [this, own, gathered, bytes](void* stream) {
            collectives_->all_gather(own, gathered, bytes, stream);
        });
    }

    std::shared_ptr<Device> device_;
    std::unique_ptr<Queue> queue_;
    std::unique_ptr<DeviceCollectives> collectives_;
};

std::vector<std::byte> pattern(std::size_t bytes, unsigned seed) {
    std::vector<std::byte> result(bytes);
    for (std::size_t k = 0; k < bytes; ++k)
        result[k] = static_cast<std::byte>((k * 2654435761U + seed) >> 13);
    return result;
}

TEST_F(Nccl, KnowsItsRank) {
    EXPECT_EQ(collectives_->rank(), 0);
    EXPECT_EQ(collectives_->size(), 1);
}

TEST_F(Nccl, BroadcastKeepsTheRootsBytes) {
    for (const std::size_t bytes : kSizes) {
        const std::vector<std::byte> expected = pattern(bytes, 1);
        const Memory data = upload(expected);
        broadcast(data.data(), bytes);
        EXPECT_TRUE(download(data) == expected) << bytes << " bytes";
    }
}

TEST_F(Nccl, AllGatherCopiesEveryByteAndNoMore) {
    for (const std::size_t bytes : kSizes) {
        const std::vector<std::byte> expected = pattern(bytes, 2);
        const Memory own = upload(expected);
        Memory gathered = device_->allocate(bytes + 64);
        queue_->fill(gathered.data(), 0xA5, gathered.size_bytes());
        all_gather(own.data(), gathered.data(), bytes);
        const std::vector<std::byte> actual = download(gathered);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), actual.begin())) << bytes << " bytes";
        EXPECT_TRUE(std::all_of(actual.begin() + static_cast<std::ptrdiff_t>(bytes), actual.end(),
                                [](std::byte value) { return value == std::byte{0xA5}; }))
            << bytes << " bytes";
        EXPECT_TRUE(download(own) == expected) << "what is sent stays as it is";
    }
}

TEST_F(Nccl, TakesItsPlaceInTheQueue) {
    constexpr std::size_t kBytes = std::size_t{32} << 20;
    const Memory own = device_->allocate(kBytes);
    const Memory gathered = device_->allocate(kBytes);
    // Each collective reads what was queued right in front of it, and is read by what stands behind it.
    for (const std::uint8_t value : {std::uint8_t{3}, std::uint8_t{7}, std::uint8_t{250}}) {
        queue_->fill(gathered.data(), 0, kBytes);
        queue_->fill(own.data(), value, kBytes);
        broadcast(own.data(), kBytes);
        all_gather(own.data(), gathered.data(), kBytes);
        queue_->fill(own.data(), 0, kBytes);
        const std::vector<std::byte> actual = download(gathered);
        EXPECT_TRUE(std::all_of(actual.begin(), actual.end(), [value](std::byte byte) {
            return byte == static_cast<std::byte>(value);
        })) << int{value};
    }
}

TEST_F(Nccl, TwoCommunicatorsDoNotDisturbEachOther) {
    const auto alone = make_single_communicator();
    const auto first = std::move(collectives_);
    collectives_ = make_nccl_collectives(0, *alone);
    const std::vector<std::byte> expected = pattern(100000, 3);
    const Memory data = upload(expected);
    broadcast(data.data(), expected.size());
    queue_->synchronize();
    collectives_ = make_nccl_collectives(0, *alone);  // the one before is gone
    broadcast(data.data(), expected.size());
    EXPECT_TRUE(download(data) == expected);
}

TEST_F(Nccl, AnErrorIsASentenceWithTheCall) {
    const Memory data = upload(pattern(16, 4));
    try {
        const Access access{data.data(), 16, true};
        queue_->launch("broadcast", {&access, 1},
                       [&](void* stream) { collectives_->broadcast(data.data(), 16, 5, stream); });
        queue_->synchronize();
        FAIL() << "a root that is no rank was taken";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("ncclBroadcast failed: "), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace lossmap::cuda
