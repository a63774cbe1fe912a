#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/device_communicator.hpp"
#include "cuda/device/nccl_collectives.hpp"
#include "cuda/device/shared_library.hpp"
#include "dist/local_communicators.hpp"
#include "tests/backends/gpu_devices.hpp"
#include "tests/dist/communicator_case.hpp"
#include "tests/dist/nccl_gpu.hpp"

namespace lossmap::test {
namespace {

NcclGpu open_gpu() {
    const cuda::OpenedDevices& opened = gpu_devices();
    if (opened.devices.empty()) return {nullptr, opened.why_none};
    try {
        const cuda::SharedLibrary library("libnccl.so.2");
    } catch (const cuda::LibraryError& error) {
        return {nullptr, error.what()};
    }
    return {opened.devices.front(), ""};
}

Communicators one_rank(int) {
    const auto bootstrap = make_single_communicator();
    Communicators result;
    result.push_back(cuda::make_device_communicator(nccl_gpu().device, cuda::make_nccl_collectives(0, *bootstrap)));
    return result;
}

}  // namespace

const NcclGpu& nccl_gpu() {
    // Never destroyed: at exit the CUDA runtime may be gone already.
    static const auto& kGpu = *new NcclGpu(open_gpu());
    return kGpu;
}

// NCCL wants a GPU for each rank: on a machine with one the suite has a single rank, which takes the same calls.
std::vector<CommunicatorCase> communicator_cases() {
    if (nccl_gpu().device == nullptr) return {};
    return {
        {"Nccl", one_rank, 1, [] { return std::shared_ptr<Backend>(cuda::make_cuda_backend({nccl_gpu().device})); }}};
}

}  // namespace lossmap::test
