#pragma once

#include <cstdint>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// FLOP/s of a product of square matrices of Gaussian numbers in a precision, by the library's favourite way: the
/// fastest of several runs, in about `seconds` of the device's clock and at least one. Numbers matter: constants draw
/// less power, and the clock stays up. Throws OutOfDeviceMemory.
[[nodiscard]] double measure_gemm_ceiling(Device& device, Precision precision, std::int64_t extent, double seconds);

}  // namespace lossmap::cuda
