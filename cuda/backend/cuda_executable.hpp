#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/backend/device.hpp"
#include "cuda/backend/device_loss.hpp"
#include "cuda/backend/pass_choice.hpp"
#include "cuda/backend/program_runner.hpp"
#include "cuda/backend/statistics_estimator.hpp"

namespace lossmap::cuda {

/// Runs a network over blocks of points and tiles of samples (ProgramRunner); loss sums come back once a block.
///
/// Below fp32, and where fp32 is split into halves, a (point, tile) whose numbers are not held or whose loss is not
/// finite is evaluated again in plain fp32 and its samples are counted in LossSums::overflowed. Statistics are
/// estimated in plain fp32 always.
class CudaExecutable final : public Executable {
public:
    /// @param passes  what choose_passes says of the request
    CudaExecutable(const ExecutableRequest& request, std::shared_ptr<Planner> planner, const PassChoice& passes);
    ~CudaExecutable() override;

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    void estimate_statistics(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                             std::span<StatisticSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::string plan_json() const override;
    [[nodiscard]] std::int64_t macs_per_sample() const override { return program().macs_per_sample; }
    [[nodiscard]] std::int64_t memory_bytes() const override;
    [[nodiscard]] std::int64_t points_per_pass() const override { return program().options.points; }
    [[nodiscard]] std::vector<NamedTensor> trace(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::optional<PassTimes> measure_operations(const SampleChunk& chunk) override;
    [[nodiscard]] bool is_exact() const override { return owned_ == nullptr; }
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) override;

    /// Blocks that seconds_a_pass runs: of one tile to get warm, then of all tiles, the last one to see when the one
    /// before it had ended.
    static constexpr std::size_t kWarmBlocks = 2 * kThetaSets;
    static constexpr std::size_t kBlocksARound = kThetaSets;
    static constexpr std::size_t kTimedBlocks = 2 * kBlocksARound + 1;
    /// Seconds on the device's clock of a pass in the middle of many, over blocks of points and the chunk's tiles: the
    /// recorded pass, its losses, and its share of the next block's weights, which are computed beside it. All points
    /// are the origin, results are thrown away. Throws OutOfDeviceMemory.
    [[nodiscard]] double seconds_a_pass(const SampleChunk& chunk);

private:
    /// What the fp32 twin of a reduced-precision executable is made from.
    struct OwnedRequest;
    /// Sums of a block of points.
    struct BlockSums {
        Memory sums;     ///< [tiles, points] on the device
        Memory results;  ///< pinned: sums, weight flags, faults
    };

    [[nodiscard]] const Program& program() const { return runner_->program(); }
    [[nodiscard]] std::size_t states() const { return shared_.theta->states(); }
    void run_block(std::size_t set, const Segment& segment);
    /// Runs so many blocks at the origin; marks where each began.
    [[nodiscard]] std::vector<std::shared_ptr<Mark>> timed_blocks(std::size_t blocks, const Segment& segment);
    /// Queues the loss of a tile into `sums` [points].
    void queue_loss(const Frame& frame, const Segment& segment, std::int64_t tile, kernels::DeviceLossSums* sums) const;
    void collect(std::size_t set, std::span<const Point> points, const SampleChunk& chunk, const Segment& segment,
                 std::span<LossSums> sums);
    /// Evaluates the points listed of one tile in fp32; adds nothing, returns their sums.
    [[nodiscard]] std::vector<LossSums> rescue(std::span<const Point> points, const SampleChunk& chunk,
                                               std::int64_t first, std::int64_t rows);
    [[nodiscard]] Executable& twin();
    void grow_sums(BlockSums& block, std::int64_t tiles);

    LossSpec loss_;
    Shared shared_;
    std::unique_ptr<ProgramRunner> runner_;
    std::optional<StatisticsEstimator> estimator_;
    std::array<BlockSums, kThetaSets> blocks_;
    std::unique_ptr<DeviceLoss> device_loss_;
    std::unique_ptr<OwnedRequest> owned_;
    std::unique_ptr<Executable> twin_;
};

}  // namespace lossmap::cuda
