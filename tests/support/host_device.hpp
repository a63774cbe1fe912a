#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cuda/backend/device.hpp"

namespace lossmap::test {

/// When queued work of the emulated device runs: at once, or as late as a real device may run it (a queue moves only
/// when something waits for it). Results must not depend on it.
enum class Pace { eager, lazy };

/// A way that the emulated libraries offer.
struct HostWay {
    std::string name = "host loops";
    std::string family = "loops";
    double seconds = 0.0;  ///< that a run takes on the device's clock
    bool joins = true;     ///< bias, residual and activation
    bool proven = true;    ///< says that it need not be tried
    bool builds = true;
    bool hides_nan = false;
    bool unsteady = false;  ///< other bits with every run
};

struct HostDeviceOptions {
    Pace pace = Pace::lazy;
    std::int64_t memory_bytes = std::int64_t{1} << 30;
    std::int64_t pass_bytes = std::int64_t{4} << 20;
    std::int64_t most_points = 4;
    std::int64_t most_products = 65535;     ///< of one call
    std::int64_t shared_bytes = 227 << 10;  ///< a block's; of a Hopper GPU
    bool tiles_convolutions = true;         ///< false: our own kernel is none of the ways of a convolution
    bool has_convolutions = true;           ///< false: there are no ways, as in a library without an engine
    /// Convolutions that are computed wrongly: for comparators. Not by number: plans are built in no order.
    std::function<bool(const cuda::ConvolutionProblem&)> spoils;
    std::string spoiled_stage;      ///< the stage kernel of this name computes something wrong; "": none does
    std::int64_t sound_runs = -1;   ///< of convolutions, after which all are wrong; -1: all are sound
    bool reversed = false;          ///< kernels' threads run in reverse order
    bool joins_work = true;         ///< plans compute bias, residual and activation
    bool records = true;            ///< makes recordings
    int eigen_status = 0;           ///< what the eigenvalue solver reports
    std::vector<HostWay> ways{{}};  ///< of convolutions and products, the favourite first
    /// Seconds, beside its way's, that a product of so many matrices (points) of so many rows (samples) takes on the
    /// device's clock; none where empty.
    std::function<double(std::int64_t points, std::int64_t samples)> product_seconds;
    std::int64_t most_bytes_at_once = std::int64_t{1} << 40;  ///< a larger allocation finds no memory
    std::string driver = "1.0";
    std::string architecture = "host";
};

/// What happened on an emulated device.
struct HostDeviceCounts {
    std::int64_t launches = 0;
    std::int64_t recordings = 0;
    std::int64_t replays = 0;
    std::int64_t bytes_to_host = 0;
    std::int64_t bytes_to_device = 0;
    std::map<std::string, std::int64_t> by_name;  ///< launches that ran
    std::atomic<std::int64_t> builds{0};          ///< of library plans, from nothing
    std::atomic<std::int64_t> rebuilds{0};        ///< from what was serialized
    std::int64_t timed_marks = 0;
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
    /// Refused in a thread that records.
    [[nodiscard]] cuda::Memory allocate(std::size_t bytes) override;
    [[nodiscard]] cuda::Memory allocate_pinned(std::size_t bytes) override;
    [[nodiscard]] std::unique_ptr<cuda::Queue> make_queue() override;
    [[nodiscard]] std::vector<cuda::LibraryWay> gemm_ways(const cuda::GemmProblem& problem) override;
    [[nodiscard]] std::unique_ptr<cuda::GemmPlan> build_gemm(const cuda::GemmProblem& problem,
                                                             const cuda::LibraryWay& way,
                                                             std::span<const std::byte> serialized) override;
    [[nodiscard]] std::vector<cuda::LibraryWay> convolution_ways(const cuda::ConvolutionProblem& problem,
                                                                 std::string& why_none) override;
    [[nodiscard]] std::unique_ptr<cuda::ConvolutionPlan> build_convolution(
        const cuda::ConvolutionProblem& problem, const cuda::LibraryWay& way,
        std::span<const std::byte> serialized) override;
    [[nodiscard]] std::unique_ptr<cuda::EigenPlan> plan_eigen(std::int64_t order) override;

    [[nodiscard]] const HostDeviceCounts& counts() const;
    /// Bytes of device memory that are taken at present.
    [[nodiscard]] std::int64_t bytes_in_use() const;

private:
    [[nodiscard]] const HostWay& way_of(const cuda::LibraryWay& way, std::span<const std::byte> serialized);

    HostDeviceOptions options_;
    cuda::DeviceFacts facts_;
    std::optional<kernels::KernelTable> spoiled_kernels_;
    std::shared_ptr<HostDeviceState> state_;
};

}  // namespace lossmap::test
