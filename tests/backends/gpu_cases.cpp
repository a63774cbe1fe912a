#include <iostream>

#include "cuda/backend/cuda_backend.hpp"
#include "tests/backends/backend_case.hpp"
#include "tests/backends/gpu_devices.hpp"

namespace lossmap::test {

const cuda::OpenedDevices& gpu_devices() {
    // Never destroyed: at exit the CUDA runtime may be gone already.
    static const auto& kOpened = *[] {
        auto* opened = new cuda::OpenedDevices(cuda::open_cuda_devices({0}));
        if (opened->devices.empty()) std::cout << "skipped: " << opened->why_none << '\n';
        return opened;
    }();
    return kOpened;
}

// The suites on the machine's GPU; none, with the reason, where there is none.
std::vector<BackendCase> backend_cases() {
    if (gpu_devices().devices.empty()) return {};
    return {{"Cuda", [] { return std::shared_ptr<Backend>(cuda::make_cuda_backend(gpu_devices().devices)); }}};
}

}  // namespace lossmap::test
