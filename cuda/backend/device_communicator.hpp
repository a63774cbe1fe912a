#pragma once

#include <cstddef>
#include <memory>

#include "backend/communicator.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// What moves bytes between the devices of ranks: NCCL (cuda/device), or a stand-in. Called from Queue::launch with its
/// native handle, by all ranks in the same order.
class DeviceCollectives {
public:
    virtual ~DeviceCollectives() = default;
    DeviceCollectives() = default;
    DeviceCollectives(const DeviceCollectives&) = delete;
    DeviceCollectives& operator=(const DeviceCollectives&) = delete;

    [[nodiscard]] virtual int rank() const = 0;
    [[nodiscard]] virtual int size() const = 0;
    /// In place; as many bytes on every rank.
    virtual void broadcast(void* data, std::size_t bytes, int root, void* stream) = 0;
    /// `gathered` takes size() * bytes, in the order of ranks.
    virtual void all_gather(const void* own, void* gathered, std::size_t bytes, void* stream) = 0;
};

/// Ranks with a device each; bytes of the host go through its memory.
[[nodiscard]] std::unique_ptr<Communicator> make_device_communicator(std::shared_ptr<Device> device,
                                                                     std::unique_ptr<DeviceCollectives> collectives);

}  // namespace lossmap::cuda
