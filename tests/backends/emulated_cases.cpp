#include "cpu/cpu_backend.hpp"
#include "cuda/backend/cuda_backend.hpp"
#include "tests/backends/backend_case.hpp"
#include "tests/support/host_device.hpp"

namespace lossmap::test {
namespace {

BackendCase emulated(const std::string& name, const HostDeviceOptions& options) {
    return {name, [options] {
                return std::shared_ptr<Backend>(cuda::make_cuda_backend({std::make_shared<HostDevice>(options)}));
            }};
}

}  // namespace

std::vector<BackendCase> backend_cases() {
    HostDeviceOptions lazy;
    HostDeviceOptions eager;
    eager.pace = Pace::eager;
    eager.joins_work = false;
    eager.reversed = true;
    HostDeviceOptions bare;
    bare.has_convolutions = false;
    bare.most_points = 1;
    return {{"Cpu", [] { return std::shared_ptr<Backend>(make_cpu_backend()); }},
            emulated("EmulatedCuda", lazy),
            emulated("EmulatedCudaNothingJoined", eager),
            emulated("EmulatedCudaWithoutConvolutions", bare)};
}

}  // namespace lossmap::test
