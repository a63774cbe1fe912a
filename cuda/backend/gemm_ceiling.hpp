#pragma once

#include <cstdint>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"

namespace lossmap::cuda {

/// Of a product of square matrices of Gaussian numbers in a precision, by the library's favourite way: runs it for
/// about `seconds` of the device's clock and at least once. Numbers matter: constants draw less power, and the clock
/// stays up. Throws OutOfDeviceMemory.
[[nodiscard]] Ceiling measure_gemm_ceiling(Device& device, Precision precision, std::int64_t extent, double seconds);

}  // namespace lossmap::cuda
