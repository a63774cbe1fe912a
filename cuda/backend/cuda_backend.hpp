#pragma once

#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// The CUDA backend over devices that somebody made: GPUs (cuda/device) or an emulation. Networks run on all of them,
/// which share the points of a call; directions and linear algebra are the first one's.
/// @param devices  at least one
[[nodiscard]] std::unique_ptr<Backend> make_cuda_backend(std::vector<std::shared_ptr<Device>> devices);

}  // namespace lossmap::cuda
