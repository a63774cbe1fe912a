#include "tests/backends/gpu_devices.hpp"
#include "tests/cuda/stored_plans.hpp"

namespace lossmap::test {

std::shared_ptr<cuda::Device> device_for_plans(std::string& why_none) {
    const cuda::OpenedDevices& opened = gpu_devices();
    why_none = opened.why_none;
    return opened.devices.empty() ? nullptr : opened.devices.front();
}

}  // namespace lossmap::test
