#include <iostream>

#include "cuda/backend/cuda_backend.hpp"
#include "cuda/backend/device_communicator.hpp"
#include "cuda/device/cuda_device.hpp"
#include "cuda/device/nccl_collectives.hpp"
#include "cuda/device/shared_library.hpp"
#include "dist/local_communicators.hpp"
#include "tests/dist/communicator_case.hpp"
#include "tests/dist/nccl_ranks.hpp"

namespace lossmap::test {
namespace {

NcclGpu open_gpu() {
    try {
        const cuda::SharedLibrary library("libnccl.so.2");
    } catch (const cuda::LibraryError& error) {
        return {nullptr, error.what()};
    }
    cuda::OpenedDevices opened = cuda::open_cuda_devices({0});
    if (opened.devices.empty()) return {nullptr, opened.why_none};
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
    const NcclGpu& gpu = nccl_gpu();
    if (gpu.device == nullptr) {
        std::cout << "NCCL skipped: " << gpu.why_none << '\n';
        return {};
    }
    return {
        {"Nccl", one_rank, 1, [] { return std::shared_ptr<Backend>(cuda::make_cuda_backend({nccl_gpu().device})); }}};
}

}  // namespace lossmap::test
