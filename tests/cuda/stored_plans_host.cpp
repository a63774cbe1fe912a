#include "tests/cuda/stored_plans.hpp"
#include "tests/support/host_device.hpp"

namespace lossmap::test {

std::shared_ptr<cuda::Device> device_for_plans(std::string& why_none) {
    why_none.clear();
    HostDeviceOptions options;
    options.ways = {{"first", "loops"}, {"second", "loops"}, {"third", "other loops", 0.0, false}};
    return std::make_shared<HostDevice>(options);
}

}  // namespace lossmap::test
