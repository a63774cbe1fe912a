#pragma once

#include "cuda/device/cuda_device.hpp"

namespace lossmap::test {

/// The machine's first GPU, opened once in the program, or why there is none; the reason is printed, too.
[[nodiscard]] const cuda::OpenedDevices& gpu_devices();

}  // namespace lossmap::test
