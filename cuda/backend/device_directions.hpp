#pragma once

#include <memory>
#include <span>

#include "backend/direction_maker.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// Weights in the memory of one device.
class DeviceWeights final : public ResidentWeights {
public:
    DeviceWeights(std::shared_ptr<Device> device, Memory memory)
        : device_(std::move(device)), memory_(std::move(memory)) {}

    [[nodiscard]] const Device& device() const { return *device_; }
    [[nodiscard]] const Memory& memory() const { return memory_; }

private:
    std::shared_ptr<Device> device_;  ///< in front of what it gives back
    Memory memory_;
};

/// Makes directions in device memory, where they stay; what comes to the host is a copy. `space` must outlive it.
[[nodiscard]] std::unique_ptr<DirectionMaker> make_device_direction_maker(std::shared_ptr<Device> device,
                                                                          const ParameterSpace& space,
                                                                          std::span<const float> origin);

}  // namespace lossmap::cuda
