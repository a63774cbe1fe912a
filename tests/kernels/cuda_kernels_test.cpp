#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/device.hpp"
#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

/// Memory of the first CUDA device, and a stream.
class CudaDevice : public Device {
public:
    CudaDevice() : Device(cuda_kernels()) {}
    [[nodiscard]] Queue queue() override { return {stream_.get()}; }
    using Device::get;
    using Device::put;
    [[nodiscard]] void* put(const void* bytes, std::size_t size_bytes) override {
        buffers_.emplace_back(size_bytes > 0 ? size_bytes : 1, stream_);
        if (size_bytes > 0) cuda::copy_to_device(buffers_.back().data(), bytes, size_bytes, stream_);
        stream_.synchronize();
        return buffers_.back().data();
    }
    void get(void* target, const void* source, std::size_t size_bytes) override {
        if (size_bytes > 0) cuda::copy_to_host(target, source, size_bytes, stream_);
        stream_.synchronize();
    }

private:
    cuda::Stream stream_;  // outlives the buffers
    std::vector<cuda::DeviceBuffer> buffers_;
};

class CudaKernels : public ::testing::TestWithParam<KernelCase> {
protected:
    void SetUp() override {
        static const cuda::DeviceList kDevices = cuda::list_devices();
        if (kDevices.devices.empty()) GTEST_SKIP() << "no CUDA device: " << kDevices.why_none;
        if (GetParam().kernel.starts_with("warpgroup_") && kDevices.devices.front().compute_major != 9)
            GTEST_SKIP() << "wgmma needs a device with compute capability 9.0";
    }
};

/// Transcendental functions differ from the host's libm by a few units in the last place; all else agrees with what the
/// case expects of the host.
constexpr double kLibraryTolerance = 1e-6;

TEST_P(CudaKernels, AgreesWithItsReference) {
    CudaDevice device;
    EXPECT_EQ(difference_of(GetParam().run(device), GetParam().expected(), GetParam().tolerance + kLibraryTolerance),
              "");
}

TEST_P(CudaKernels, AgreesWithTheHost) {
    CudaDevice device;
    HostDevice host(host_kernels());
    EXPECT_EQ(difference_of(GetParam().run(device), GetParam().run(host), GetParam().tolerance_between_devices), "");
}

TEST_P(CudaKernels, GivesTheSameBitsAgain) {
    CudaDevice device;
    const std::vector<Tensor> first = GetParam().run(device);
    const std::vector<Tensor> second = GetParam().run(device);
    ASSERT_EQ(first.size(), second.size());
    for (std::size_t k = 0; k < first.size(); ++k)
        EXPECT_EQ(std::memcmp(first[k].data(), second[k].data(), first[k].size_bytes()), 0) << "result " << k;
}

// What is +, -, *, / and sqrt alone gives the host's bits.
TEST_P(CudaKernels, GivesTheHostsBitsWhereNoLibraryFunctionIsUsed) {
    const std::string& kernel = GetParam().kernel;
    for (const char* exact :
         {"perturb", "perturb_bias", "fold_factors", "gaussian_fill", "normalize_direction", "decode", "channel_layout",
          "copy", "gather", "select", "trilu", "top_k", "arg_reduce", "convolution"}) {
        if (kernel != exact) continue;
        CudaDevice device;
        HostDevice host(host_kernels());
        EXPECT_EQ(difference_of(GetParam().run(device), GetParam().run(host), 0.0), "");
    }
}

INSTANTIATE_TEST_SUITE_P(Cases, CudaKernels, ::testing::ValuesIn(all_cases()), name_of_case);

TEST(CudaKernelTable, HasNoEmptyEntry) {
#define LOSSMAP_ENTRY(name, Args) EXPECT_NE(cuda_kernels().name, nullptr) << #name;
    LOSSMAP_KERNELS(LOSSMAP_ENTRY)
#undef LOSSMAP_ENTRY
}

}  // namespace
}  // namespace lossmap::kernels::test
