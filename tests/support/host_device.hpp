#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/backend/device.hpp"

namespace lossmap::test {

/// When queued work of the emulated device runs: at once, or as late as a real device may run it (a queue moves only
/// when something waits for it). Results must not depend on it.
enum class Pace { eager, lazy };

struct HostDeviceOptions {
    Pace pace = Pace::lazy;
    std::int64_t memory_bytes = std::int64_t{1} << 30;
    std::int64_t pass_bytes = std::int64_t{4} << 20;
    std::int64_t most_points = 4;
    std::int64_t shared_bytes = 227 << 10;  ///< a block's; of a Hopper GPU
    bool has_convolutions = true;           ///< false: plan_convolution refuses, as a library without an engine does
    int spoiled_convolution = 0;  ///< the plan of this number, from 1, computes something wrong: for comparators
    bool reversed = false;        ///< kernels' threads run in reverse order
    bool joins_work = true;       ///< plans compute bias, residual and activation
    int eigen_status = 0;         ///< what the eigenvalue solver reports
};

/// What happened on an emulated device.
struct HostDeviceCounts {
    std::int64_t launches = 0;
    std::int64_t recordings = 0;
    std::int64_t replays = 0;
    std::int64_t bytes_to_host = 0;
    std::map<std::string, std::int64_t> by_name;  ///< launches that ran
};

/// State that queues and memory share.
class HostDeviceState;

/// A device made of host memory: fresh memory is full of NaN, work declares what it touches, and an access to memory
/// that was given back, to bytes beyond an allocation, or to bytes that another queue uses without a mark in between
/// throws InternalError. Products and convolutions are plain loops.
class HostDevice final : public cuda::Device {
public:
    explicit HostDevice(const HostDeviceOptions& options = {});
    ~HostDevice() override;

    [[nodiscard]] const cuda::DeviceFacts& facts() const override { return facts_; }
    [[nodiscard]] const kernels::KernelTable& kernels() const override;
    [[nodiscard]] cuda::Memory allocate(std::size_t bytes) override;
    [[nodiscard]] cuda::Memory allocate_pinned(std::size_t bytes) override;
    [[nodiscard]] std::unique_ptr<cuda::Queue> make_queue() override;
    [[nodiscard]] std::unique_ptr<cuda::GemmPlan> plan_gemm(const cuda::GemmProblem& problem) override;
    [[nodiscard]] std::unique_ptr<cuda::ConvolutionPlan> plan_convolution(const cuda::ConvolutionProblem& problem,
                                                                          std::string& why_not) override;
    [[nodiscard]] std::unique_ptr<cuda::EigenPlan> plan_eigen(std::int64_t order) override;

    [[nodiscard]] const HostDeviceCounts& counts() const;
    /// Bytes of device memory that are taken at present.
    [[nodiscard]] std::int64_t bytes_in_use() const;

private:
    HostDeviceOptions options_;
    cuda::DeviceFacts facts_;
    int planned_convolutions_ = 0;
    std::shared_ptr<HostDeviceState> state_;
};

}  // namespace lossmap::test
