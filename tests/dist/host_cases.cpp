#include <cstring>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cuda/backend/device_communicator.hpp"
#include "dist/local_communicators.hpp"
#include "tests/dist/communicator_case.hpp"
#include "tests/support/host_device.hpp"

namespace lossmap::test {
namespace {

/// Stands in for NCCL: what ranks in threads lay down is read from the other emulated device.
class ThreadCollectives final : public cuda::DeviceCollectives {
public:
    explicit ThreadCollectives(std::unique_ptr<Communicator> ranks) : ranks_(std::move(ranks)) {}
    [[nodiscard]] int rank() const override { return ranks_->rank(); }
    [[nodiscard]] int size() const override { return ranks_->size(); }
    void broadcast(void* data, std::size_t bytes, int root, void*) override {
        ranks_->broadcast({static_cast<std::byte*>(data), bytes}, root);
    }
    void all_gather(const void* own, void* gathered, std::size_t bytes, void*) override {
        auto* target = static_cast<std::byte*>(gathered);
        for (const auto& piece : ranks_->gather({static_cast<const std::byte*>(own), bytes})) {
            if (piece.size() != bytes) throw InternalError("{} bytes instead of {}", piece.size(), bytes);
            std::memcpy(target, piece.data(), bytes);
            target += bytes;
        }
    }

private:
    std::unique_ptr<Communicator> ranks_;
};

Communicators on_devices(int ranks) {
    Communicators result;
    for (auto& communicator : make_thread_communicators(ranks)) {
        result.push_back(cuda::make_device_communicator(std::make_shared<HostDevice>(),
                                                        std::make_unique<ThreadCollectives>(std::move(communicator))));
    }
    return result;
}

Communicators alone(int) {
    Communicators result;
    result.push_back(make_single_communicator());
    return result;
}

}  // namespace

std::vector<CommunicatorCase> communicator_cases() {
    const auto on_the_cpu = [] { return std::shared_ptr<Backend>(make_cpu_backend()); };
    return {{"Alone", alone, 1, on_the_cpu},
            {"Threads", make_thread_communicators, 1, on_the_cpu},
            {"Threads", make_thread_communicators, 2, on_the_cpu},
            {"Threads", make_thread_communicators, 3, on_the_cpu},
            {"Devices", on_devices, 1, on_the_cpu},
            {"Devices", on_devices, 3, on_the_cpu}};
}

}  // namespace lossmap::test
