#include <iostream>

#include "cuda/backend/cuda_backend.hpp"
#include "cuda/device/cuda_device.hpp"
#include "tests/backends/backend_case.hpp"

namespace lossmap::test {

// The suites on the machine's GPU; none, with the reason, where there is none.
std::vector<BackendCase> backend_cases() {
    // Never destroyed: at exit the CUDA runtime may be gone already.
    static const auto& kOpened = *new cuda::OpenedDevices(cuda::open_cuda_devices({0}));
    if (kOpened.devices.empty()) {
        std::cout << "skipped: " << kOpened.why_none << '\n';
        return {};
    }
    return {{"Cuda", [] { return std::shared_ptr<Backend>(cuda::make_cuda_backend(kOpened.devices)); }}};
}

}  // namespace lossmap::test
