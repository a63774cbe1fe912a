// The libraries that a GPU machine has, without the GPU: every function that is used is there, and cuDNN has ways for
// our convolutions on a device that it knows by description alone. Skipped, with the reason, where a library is absent.
#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cuda/device/cublas_gemm.hpp"
#include "cuda/device/cudnn_convolution.hpp"
#include "cuda/device/nccl_collectives.hpp"
#include "cuda/device/shared_library.hpp"
#include "cuda/runtime/device.hpp"
#include "cuda/runtime/error.hpp"
#include "dist/local_communicators.hpp"

namespace lossmap::cuda {
namespace {

/// A device in cuDNN's own words.
constexpr const char* kH100 =
    R"({"deviceVer": 900, "multiProcessorCount": 132, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
        "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536,
        "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "regsPerBlock": 65536,
        "totalGlobalMem": 85017624576, "smClockRateKHz": 1980000, "l2CacheSize": 52428800,
        "maxBlockSize": [1024, 1024, 64], "memClockRateKHz": 2619000, "maxGridSize": [2147483647, 65535, 65535],
        "supportCoopLaunch": 1, "pciDeviceId": 0, "isTccDriver": 0, "cudaDeviceId": 0, "driverVer": 13000,
        "deviceName": "NVIDIA H100 80GB HBM3"})";

struct Case {
    std::int64_t channels;
    std::int64_t out_channels;
    std::int64_t width;
    std::int64_t stride;
};
/// The convolutions of a ResNet for 32 x 32 images.
constexpr std::array<Case, 5> kCases{
    {{8, 16, 32, 1}, {16, 16, 32, 1}, {16, 32, 32, 2}, {32, 32, 16, 1}, {64, 64, 8, 1}}};

ConvolutionProblem problem_of(const Case& shape, DType type, Precision precision) {
    ConvolutionProblem problem;
    problem.images = 256;
    problem.channels = shape.channels;
    problem.out_channels = shape.out_channels;
    problem.input = {1, shape.width, shape.width};
    problem.output = {1, shape.width / shape.stride, shape.width / shape.stride};
    problem.kernel = {1, 3, 3};
    problem.stride = {1, shape.stride, shape.stride};
    problem.pad_begin = problem.pad_end = {0, 1, 1};
    problem.type = type;
    problem.precision = precision;
    problem.bias = problem.residual = true;
    return problem;
}

bool is_built(const OfferedPlan& plan) { return plan.why_not.empty(); }
/// A kernel that was compiled and that only a driver could load.
bool is_compiled(const OfferedPlan& plan) {
    return is_built(plan) || plan.why_not.find("cuLibraryLoadData") != std::string::npos;
}

std::string describe(const std::vector<OfferedPlan>& plans) {
    std::string text;
    for (const OfferedPlan& plan : plans)
        text += fmt::format("{}: {}\n", plan.name, plan.why_not.substr(0, 300));
    return text;
}

bool is_absent(const char* library) { return !SharedLibrary::preload(library); }

TEST(CudaLibraries, CublasHasEveryFunction) {
    if (is_absent("libcublasLt.so.13")) GTEST_SKIP() << "cuBLASLt 13 is not here";
    try {
        EXPECT_NE(CublasGemm().version().find("cuBLAS 13."), std::string::npos);
    } catch (const CudaError& error) {
        // All functions were found; without a GPU the library does not start.
        EXPECT_NE(std::string(error.what()).find("cublasLtCreate failed: CUBLAS_STATUS_"), std::string::npos)
            << error.what();
    }
}

TEST(CudaLibraries, CudnnHasEveryFunction) {
    if (is_absent("libcudnn.so.9")) GTEST_SKIP() << "cuDNN 9 is not here";
    const SharedLibrary library("libcudnn.so.9");
    // The frontend asks for them when it calls them.
    for (const char* name :
         {"cudnnCreate", "cudnnDestroy", "cudnnSetStream", "cudnnGetErrorString", "cudnnGetVersion",
          "cudnnGetLastErrorString", "cudnnBackendCreateDescriptor", "cudnnBackendSetAttribute",
          "cudnnBackendGetAttribute", "cudnnBackendFinalize", "cudnnBackendDestroyDescriptor", "cudnnBackendExecute"})
        EXPECT_NO_THROW(static_cast<void>(library.function<void()>(name))) << name;
    EXPECT_THROW(static_cast<void>(library.function<void()>("cudnnDoesNotExist")), LibraryError);
}

TEST(CudaLibraries, NcclHasEveryFunction) {
    if (is_absent("libnccl.so.2")) GTEST_SKIP() << "NCCL 2 is not here";
    if (!list_devices().devices.empty()) GTEST_SKIP() << "there is a GPU: its own suite calls them";
    const auto alone = make_single_communicator();
    try {
        const auto collectives = make_nccl_collectives(0, *alone);
        FAIL() << "NCCL started without a GPU";
    } catch (const CudaError& error) {
        // All functions were found, or it would be a LibraryError; the device is what is missing.
        EXPECT_NE(std::string(error.what()).find("cudaGetDevice"), std::string::npos) << error.what();
    }
}

TEST(CudaLibraries, AMissingLibraryIsNamed) {
    try {
        const SharedLibrary library("libcudnn.so.1234");
        FAIL() << "opened a library that does not exist";
    } catch (const LibraryError& error) {
        EXPECT_NE(std::string(error.what()).find("libcudnn.so.1234"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("$LOSSMAP_CUDA_LIBRARIES"), std::string::npos);
    }
}

TEST(CudaLibraries, CompiledKernelsNeedNothingFromTheSystemsSearchPath) {
    if (is_absent("libnvrtc.so.13")) GTEST_SKIP() << "NVRTC 13 is not here";
    ASSERT_TRUE(SharedLibrary::preload_beside("libnvrtc.so.13", "libnvrtc-builtins.so.*"));
    EXPECT_FALSE(SharedLibrary::preload_beside("libnvrtc.so.13", "libnvrtc-nothing.so.*"));
    EXPECT_FALSE(SharedLibrary::preload_beside("libnvrtc.so.1234", "*"));
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> nvrtc, builtins;  // folders
    for (std::string line; std::getline(maps, line);) {
        const auto begin = line.find('/'), name = line.rfind("/libnvrtc");
        if (name == std::string::npos) continue;
        (line.find("-builtins", name) == std::string::npos ? nvrtc : builtins).insert(line.substr(begin, name - begin));
    }
    EXPECT_EQ(nvrtc.size(), 1U);
    EXPECT_EQ(builtins, nvrtc);
}

TEST(CudaLibraries, CudnnHasPlansForConvolutionsOnAHopper) {
    if (is_absent("libcudnn.so.9")) GTEST_SKIP() << "cuDNN 9 is not here";
    for (const auto& [type, precision] :
         {std::pair(DType::f16, Precision::fp16), std::pair(DType::bf16, Precision::bf16),
          std::pair(DType::f32, Precision::tf32), std::pair(DType::f32, Precision::fp32)}) {
        for (const Case& shape : kCases) {
            SCOPED_TRACE(fmt::format("{}: {} to {} channels, {} pixels wide, stride {}", name_of(precision),
                                     shape.channels, shape.out_channels, shape.width, shape.stride));
            const ConvolutionProblem problem = problem_of(shape, type, precision);
            const auto alone = plans_for_described_device(kH100, problem, {}, 1);
            EXPECT_TRUE(std::any_of(alone.begin(), alone.end(), is_built)) << describe(alone);
        }
    }
}

TEST(CudaLibraries, CudnnJoinsBiasAndResidualOnAHopper) {
    if (is_absent("libcudnn.so.9")) GTEST_SKIP() << "cuDNN 9 is not here";
    if (is_absent("libcuda.so.1")) GTEST_SKIP() << "no driver's library, nor the toolkit's stand-in";
    for (const auto& [type, precision] :
         {std::pair(DType::f16, Precision::fp16), std::pair(DType::f32, Precision::tf32)}) {
        SCOPED_TRACE(name_of(precision));
        const ConvolutionProblem problem = problem_of(kCases[1], type, precision);
        for (const bool activation : {false, true}) {
            const auto joined = plans_for_described_device(kH100, problem, {true, true, activation}, 1);
            EXPECT_TRUE(std::any_of(joined.begin(), joined.end(), is_compiled)) << describe(joined);
        }
    }
    // In tf32 a bias alone needs no compiled kernel.
    const auto bias =
        plans_for_described_device(kH100, problem_of(kCases[4], DType::f32, Precision::tf32), {true, false, true}, 1);
    EXPECT_TRUE(std::any_of(bias.begin(), bias.end(), is_built)) << describe(bias);
}

TEST(CudaLibraries, CudnnReadsBackWhatItStored) {
    if (is_absent("libcudnn.so.9")) GTEST_SKIP() << "cuDNN 9 is not here";
    const ConvolutionProblem problem = problem_of(kCases[1], DType::f16, Precision::fp16);
    const OfferedPlan plan = plans_for_described_device(kH100, problem, {}, 1).front();
    ASSERT_TRUE(is_built(plan)) << plan.why_not;
    EXPECT_EQ(workspace_of_stored_plan(kH100, plan.serialized), plan.workspace_bytes);
    const auto torn = std::span(plan.serialized).first(plan.serialized.size() / 2);
    EXPECT_THROW(static_cast<void>(workspace_of_stored_plan(kH100, torn)), CudaError);
    std::vector<std::byte> other = plan.serialized;
    std::fill(other.begin() + 40, other.begin() + 400, std::byte{'x'});
    EXPECT_THROW(static_cast<void>(workspace_of_stored_plan(kH100, other)), CudaError);
}

TEST(CudaLibraries, AnUnknownDeviceIsRefused) {
    if (is_absent("libcudnn.so.9")) GTEST_SKIP() << "cuDNN 9 is not here";
    EXPECT_THROW(
        static_cast<void>(plans_for_described_device("{}", problem_of(kCases[0], DType::f16, Precision::fp16), {}, 1)),
        CudaError);
}

}  // namespace
}  // namespace lossmap::cuda
