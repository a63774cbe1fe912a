#include "cuda/device/cuda_device.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "cuda/device/cublas_gemm.hpp"
#include "cuda/device/cudnn_convolution.hpp"
#include "cuda/device/cusolver_eigen.hpp"
#include "cuda/device/shared_library.hpp"
#include "cuda/runtime/buffer.hpp"
#include "cuda/runtime/device.hpp"
#include "cuda/runtime/error.hpp"
#include "cuda/runtime/graph.hpp"
#include "cuda/runtime/stream.hpp"

namespace lossmap::cuda {
namespace {

/// Bounds of one pass: launches cost nothing against so much work, and it is far below the memory of any card that
/// matters. What is taken of it, pass_model says.
constexpr std::int64_t kPassBytes = std::int64_t{2} << 30;
constexpr std::int64_t kMostPoints = 1024;

/// The driver in its own words where Linux has them: several drivers speak one version of CUDA.
std::string driver_text(int version) {
    std::string line;
    std::getline(std::ifstream("/proc/driver/nvidia/version"), line);
    return fmt::format("CUDA {}.{} {}", version / 1000, version % 1000 / 10, line);
}

/// A stream of the given device.
Stream make_stream(int ordinal) {
    const DeviceGuard guard(ordinal);
    return {};
}

class StreamMark final : public Mark {
public:
    explicit StreamMark(const Stream& stream, bool timed = false) : event_(timed) { event_.record(stream); }
    void synchronize() override { event_.synchronize(); }
    [[nodiscard]] double seconds_since(const Mark& earlier) const override {
        return Event::elapsed_ms(static_cast<const StreamMark&>(earlier).event_, event_) / 1e3;
    }
    [[nodiscard]] const Event& event() const { return event_; }

private:
    Event event_;
};

class GraphRecording final : public Recording {
public:
    explicit GraphRecording(ExecutableGraph graph) : graph_(std::move(graph)) {}
    [[nodiscard]] const ExecutableGraph& graph() const { return graph_; }

private:
    ExecutableGraph graph_;
};

class StreamQueue final : public Queue {
public:
    explicit StreamQueue(int ordinal) : ordinal_(ordinal), stream_(make_stream(ordinal)) {}

    void launch(const char*, std::span<const Access>, std::function<void(void*)> launch) override {
        const DeviceGuard guard(ordinal_);
        launch(stream_.get());
    }
    void copy_to_device(void* target, const void* source, std::size_t bytes) override {
        const DeviceGuard guard(ordinal_);
        cuda::copy_to_device(target, source, bytes, stream_);
    }
    void copy_to_host(void* target, const void* source, std::size_t bytes) override {
        const DeviceGuard guard(ordinal_);
        cuda::copy_to_host(target, source, bytes, stream_);
    }
    void copy(void* target, const void* source, std::size_t bytes) override {
        const DeviceGuard guard(ordinal_);
        copy_on_device(target, source, bytes, stream_);
    }
    void fill(void* target, std::uint8_t value, std::size_t bytes) override {
        const DeviceGuard guard(ordinal_);
        fill_bytes(target, value, bytes, stream_);
    }
    [[nodiscard]] std::shared_ptr<Mark> mark() override {
        const DeviceGuard guard(ordinal_);
        return std::make_shared<StreamMark>(stream_);
    }
    [[nodiscard]] std::shared_ptr<Mark> timed_mark() override {
        const DeviceGuard guard(ordinal_);
        return std::make_shared<StreamMark>(stream_, true);
    }
    void wait(const std::shared_ptr<Mark>& mark) override {
        const DeviceGuard guard(ordinal_);
        stream_.wait(static_cast<const StreamMark&>(*mark).event());
    }
    void synchronize() override { stream_.synchronize(); }
    [[nodiscard]] std::unique_ptr<Recording> record(const std::function<void()>& work) override {
        const DeviceGuard guard(ordinal_);
        try {
            return std::make_unique<GraphRecording>(ExecutableGraph::capture(stream_, work));
        } catch (const CudaError& error) {
            throw CannotRecord("{}", error.what());
        }
    }
    void replay(const Recording& recording) override {
        const DeviceGuard guard(ordinal_);
        static_cast<const GraphRecording&>(recording).graph().launch(stream_);
    }

private:
    int ordinal_;
    Stream stream_;
};

class CudaDevice final : public Device {
public:
    /// @param driver  its version
    CudaDevice(const DeviceProperties& properties, const std::string& driver)
        : ordinal_(properties.ordinal), stream_(make_stream(ordinal_)) {
        const DeviceGuard guard(ordinal_);
        gemm_ = std::make_unique<CublasGemm>();
        convolutions_ = std::make_unique<CudnnConvolutions>();
        facts_.id = fmt::format("cuda:{}", ordinal_);
        facts_.description =
            fmt::format("{}, compute capability {}.{}, {} multiprocessors", properties.name, properties.compute_major,
                        properties.compute_minor, properties.multiprocessors);
        facts_.memory_bytes = properties.memory_bytes;
        facts_.free_bytes = properties.free_bytes;
        facts_.pass_bytes = std::min(kPassBytes, properties.free_bytes / 4);
        facts_.most_points = kMostPoints;
        facts_.multiprocessors = properties.multiprocessors;
        facts_.l2_bytes = properties.l2_bytes;
        facts_.shared_bytes = properties.shared_bytes_per_block;
        facts_.architecture = fmt::format("sm_{}{}", properties.compute_major, properties.compute_minor);
        facts_.library_versions = {gemm_->version(), convolutions_->version()};
        facts_.driver = driver;
    }

    [[nodiscard]] const DeviceFacts& facts() const override { return facts_; }

    [[nodiscard]] Memory allocate(std::size_t bytes) override {
        if (bytes == 0) return {};
        const DeviceGuard guard(ordinal_);
        std::shared_ptr<DeviceBuffer> buffer;
        try {
            buffer = std::make_shared<DeviceBuffer>(bytes, stream_);
        } catch (const DeviceMemoryError& error) {
            throw OutOfDeviceMemory("{}: {}", facts_.id, error.what());
        }
        // Other streams may use it from now on.
        stream_.synchronize();
        void* data = buffer->data();
        return {data, bytes, [buffer = std::move(buffer)](void*) mutable { buffer.reset(); }};
    }
    [[nodiscard]] Memory allocate_pinned(std::size_t bytes) override {
        if (bytes == 0) return {};
        const DeviceGuard guard(ordinal_);
        auto buffer = std::make_shared<PinnedBuffer>(bytes);
        void* data = buffer->data();
        return {data, bytes, [buffer = std::move(buffer)](void*) mutable { buffer.reset(); }};
    }
    [[nodiscard]] std::unique_ptr<Queue> make_queue() override { return std::make_unique<StreamQueue>(ordinal_); }
    [[nodiscard]] const kernels::KernelTable& kernels() const override { return kernels::cuda_kernels(); }
    [[nodiscard]] std::vector<LibraryWay> gemm_ways(const GemmProblem& problem) override {
        const DeviceGuard guard(ordinal_);
        return gemm_->ways(problem);
    }
    [[nodiscard]] std::unique_ptr<GemmPlan> build_gemm(const GemmProblem& problem, const LibraryWay& way,
                                                       std::span<const std::byte> serialized) override {
        const DeviceGuard guard(ordinal_);
        return gemm_->build(problem, way, serialized);
    }
    [[nodiscard]] std::vector<LibraryWay> convolution_ways(const ConvolutionProblem& problem,
                                                           std::string& why_none) override {
        const DeviceGuard guard(ordinal_);
        return convolutions_->ways(problem, why_none);
    }
    [[nodiscard]] std::unique_ptr<ConvolutionPlan> build_convolution(const ConvolutionProblem& problem,
                                                                     const LibraryWay& way,
                                                                     std::span<const std::byte> serialized) override {
        const DeviceGuard guard(ordinal_);
        return convolutions_->build(problem, way, serialized);
    }
    [[nodiscard]] std::unique_ptr<EigenPlan> plan_eigen(std::int64_t order) override {
        const DeviceGuard guard(ordinal_);
        // Made at the first call: networks run without this library.
        if (eigen_ == nullptr) eigen_ = std::make_unique<CusolverEigen>();
        return eigen_->plan(order);
    }

private:
    int ordinal_;
    Stream stream_;  ///< memory is taken and given back in its order
    DeviceFacts facts_;
    std::unique_ptr<CublasGemm> gemm_;
    std::unique_ptr<CudnnConvolutions> convolutions_;
    std::unique_ptr<CusolverEigen> eigen_;
};

}  // namespace

OpenedDevices open_cuda_devices(const std::vector<int>& ordinals) {
    OpenedDevices result;
    const DeviceList list = list_devices(ordinals);
    result.why_none = list.why_none;
    const std::string driver = driver_text(list.driver_version);
    for (const DeviceProperties& properties : list.devices) {
        try {
            result.devices.push_back(std::make_shared<CudaDevice>(properties, driver));
        } catch (const Error& error) {
            result.why_none = error.what();
        }
    }
    if (result.devices.empty() && result.why_none.empty())
        result.why_none = "the device that was asked for does not exist";
    return result;
}

int count_cuda_devices() { return count_devices(); }

}  // namespace lossmap::cuda
