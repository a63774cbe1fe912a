#pragma once

#include <memory>
#include <string>

#include "cuda/backend/device.hpp"

namespace lossmap::test {

/// The device whose plans are stored and read back: each program that is linked from the suite brings its own.
/// nullptr, and why, where there is none.
[[nodiscard]] std::shared_ptr<cuda::Device> device_for_plans(std::string& why_none);

}  // namespace lossmap::test
