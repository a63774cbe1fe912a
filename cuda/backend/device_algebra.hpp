#pragma once

#include <memory>

#include "backend/linear_algebra.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// Linear algebra in device memory: inner products by kernels of our own, which keep the order of sums, eigenvalues by
/// the device's library.
[[nodiscard]] std::unique_ptr<LinearAlgebra> make_device_algebra(std::shared_ptr<Device> device);

}  // namespace lossmap::cuda
