#include "cuda/backend/cuda_backend.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "backend/divided_executable.hpp"
#include "core/error.hpp"
#include "cuda/backend/cuda_executable.hpp"
#include "cuda/backend/device_algebra.hpp"
#include "cuda/backend/device_directions.hpp"
#include "cuda/backend/gemm_ceiling.hpp"
#include "cuda/backend/pass_choice.hpp"

namespace lossmap::cuda {
namespace {

/// Threads that compile kernels: each takes some hundred megabytes meanwhile.
constexpr unsigned kMostThreads = 16;

class CudaBackend final : public Backend {
public:
    CudaBackend(std::vector<std::shared_ptr<Device>> devices, const PlanOptions& plans) : devices_(std::move(devices)) {
        if (devices_.empty()) throw InternalError("a CUDA backend without a device");
        const Notice notice = plans.notice ? plans.notice : [](const std::string&) {};
        std::unique_ptr<PlanStore> store;
        if (!plans.folder.empty()) store = std::make_unique<PlanStore>(plans.folder, notice);
        const unsigned threads = std::min(std::thread::hardware_concurrency(), kMostThreads);
        const auto chooser = std::make_shared<WayChooser>(std::move(store), notice, threads);
        if (chooser->store() != nullptr)
            sizer_ = std::make_unique<PassSizer>(std::make_unique<SizeChooser>(*chooser->store()), plans.version);
        for (const auto& device : devices_)
            planners_.push_back(std::make_shared<Planner>(device, chooser));
    }

    [[nodiscard]] std::string name() const override { return "cuda"; }

    [[nodiscard]] std::vector<DeviceInfo> devices() const override {
        std::vector<DeviceInfo> result;
        for (const auto& device : devices_) {
            const DeviceFacts& facts = device->facts();
            result.push_back({facts.id,
                              facts.description,
                              facts.memory_bytes,
                              {Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16}});
        }
        return result;
    }

    [[nodiscard]] std::vector<std::string> library_versions() const override {
        return devices_.front()->facts().library_versions;
    }

    [[nodiscard]] std::string why_not(const ExecutableRequest& request) const override {
        try {
            static_cast<void>(choose_passes(request, planners_, {}));
        } catch (const InputError& error) {
            return error.what();
        }
        return "";
    }

    [[nodiscard]] std::unique_ptr<Executable> compile(const ExecutableRequest& request) override {
        Sizing sizing;
        sizing.sizer = sizer_.get();
        const PassChoice passes = choose_passes(request, planners_, sizing);
        std::vector<std::unique_ptr<Executable>> executables;
        for (const auto& planner : planners_)
            executables.push_back(std::make_unique<CudaExecutable>(request, planner, passes));
        if (executables.size() == 1) return std::move(executables.front());
        return make_divided_executable(std::move(executables));
    }

    [[nodiscard]] bool prefers_bytes() const override { return true; }

    [[nodiscard]] std::unique_ptr<DirectionMaker> direction_maker(const ParameterSpace& space,
                                                                  std::span<const float> origin) const override {
        return make_device_direction_maker(devices_.front(), space, origin);
    }

    [[nodiscard]] std::unique_ptr<LinearAlgebra> linear_algebra(int) const override {
        return make_device_algebra(devices_.front());
    }

    [[nodiscard]] std::optional<Ceiling> measure_ceiling(Precision precision, int, double seconds) override {
        // As large as libraries need to show their best.
        constexpr std::int64_t kExtent = 8192;
        Ceiling ceiling;
        for (const auto& device : devices_) {
            const Ceiling one = measure_gemm_ceiling(*device, precision, kExtent, seconds);
            ceiling.flops_per_second += one.flops_per_second;
            ceiling.at_hand += one.at_hand;
            ceiling.what = one.what;
        }
        if (devices_.size() > 1) ceiling.what += fmt::format(", {} devices", devices_.size());
        return ceiling;
    }

private:
    std::vector<std::shared_ptr<Device>> devices_;
    std::vector<std::shared_ptr<Planner>> planners_;  ///< of each device
    std::unique_ptr<PassSizer> sizer_;                ///< nullptr: nothing is kept. The planners outlive it
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(std::vector<std::shared_ptr<Device>> devices, const PlanOptions& plans) {
    return std::make_unique<CudaBackend>(std::move(devices), plans);
}

}  // namespace lossmap::cuda
