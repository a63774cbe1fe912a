#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// GPUs that can be used, opened, and the reason when there is none (no driver, no cuDNN, ..).
struct OpenedDevices {
    std::vector<std::shared_ptr<Device>> devices;
    std::string why_none;
};

/// Never throws for what a machine lacks. The libraries of CUDA are loaded here, not when the program starts.
/// @param ordinals  which ones; empty: all
[[nodiscard]] OpenedDevices open_cuda_devices(const std::vector<int>& ordinals = {});

/// GPUs that the driver knows; none is opened. 0 where there is none, for whatever reason.
[[nodiscard]] int count_cuda_devices();

}  // namespace lossmap::cuda
