#include <iostream>

#include "cpu/cpu_backend.hpp"
#include "cpu/plan_record.hpp"
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
    std::vector<BackendCase> cases{{"Cpu", [] { return std::shared_ptr<Backend>(make_cpu_backend()); }},
                                   emulated("EmulatedCuda", lazy),
                                   emulated("EmulatedCudaNothingJoined", eager),
                                   emulated("EmulatedCudaWithoutConvolutions", bare)};
    if (cpu::bf16_available()) {
        cases.push_back({"CpuBf16", [] { return in_precision(make_cpu_backend(), Precision::bf16); }, Precision::bf16});
    } else {
        std::cout << "skipped: CpuBf16, oneDNN has " << cpu::instruction_set() << " here\n";
    }
    return cases;
}

}  // namespace lossmap::test
