#include "cuda/backend/cuda_backend.hpp"

#include <utility>

#include "core/error.hpp"
#include "cuda/backend/cuda_executable.hpp"
#include "cuda/backend/device_algebra.hpp"
#include "cuda/backend/pass_choice.hpp"

namespace lossmap::cuda {
namespace {

class CudaBackend final : public Backend {
public:
    explicit CudaBackend(std::vector<std::shared_ptr<Device>> devices) : devices_(std::move(devices)) {
        if (devices_.empty()) throw InternalError("a CUDA backend without a device");
    }

    [[nodiscard]] std::string name() const override { return "cuda"; }

    [[nodiscard]] std::vector<DeviceInfo> devices() const override {
        std::vector<DeviceInfo> result;
        for (const auto& device : devices_) {
            const DeviceFacts& facts = device->facts();
            result.push_back({facts.id, facts.description, facts.memory_bytes});
        }
        return result;
    }

    [[nodiscard]] std::vector<std::string> library_versions() const override {
        return devices_.front()->facts().library_versions;
    }

    [[nodiscard]] std::string why_not(const ExecutableRequest& request) const override {
        try {
            static_cast<void>(choose_passes(request, *devices_.front()));
        } catch (const InputError& error) {
            return error.what();
        }
        return "";
    }

    [[nodiscard]] std::unique_ptr<Executable> compile(const ExecutableRequest& request) override {
        return std::make_unique<CudaExecutable>(request, devices_.front());
    }

    [[nodiscard]] std::unique_ptr<LinearAlgebra> linear_algebra(int) const override {
        return make_device_algebra(devices_.front());
    }

private:
    std::vector<std::shared_ptr<Device>> devices_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(std::vector<std::shared_ptr<Device>> devices) {
    return std::make_unique<CudaBackend>(std::move(devices));
}

}  // namespace lossmap::cuda
