#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.hpp"
#include "core/tensor.hpp"
#include "cpu/program_runner.hpp"
#include "cpu/statistics_estimator.hpp"
#include "cpu/worker_pool.hpp"

namespace lossmap::cpu {

/// Evaluates (point, tile) pairs on one thread a core. Each thread has its own activations; weights of a group of
/// points are materialised first and then shared, so that the pairs of the group spread over all threads whether there
/// are many points or one. Sums are added in tile order: they do not depend on the number of threads.
///
/// In bf16, tiles whose output is not finite are evaluated again in fp32 and counted (LossSums::overflowed). What
/// overflows on the way alone needs no flag, unlike in fp16: bf16 has fp32's range, and a ReLU or a clip makes the same
/// of an infinity and of the numbers that round to it.
class CpuExecutable final : public Executable {
public:
    /// @throws InputError, UnsupportedError: what CpuBackend::why_not says.
    explicit CpuExecutable(const ExecutableRequest& request);

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    void estimate_statistics(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                             std::span<StatisticSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::vector<NamedTensor> trace(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::optional<PassTimes> measure_operations(const SampleChunk& chunk) override;
    [[nodiscard]] bool is_exact() const override { return runner_.program().precision == Precision::fp32; }
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) override;
    [[nodiscard]] std::string plan_json() const override;
    [[nodiscard]] std::int64_t macs_per_sample() const override { return runner_.program().macs_per_sample; }
    [[nodiscard]] std::int64_t memory_bytes() const override;

private:
    [[nodiscard]] std::int64_t tiles_of(const SampleChunk& chunk) const;
    [[nodiscard]] std::size_t output_elements() const;
    /// Runs one tile; returns its output, [tile_samples, ..]. Where that is not finite, again without transforms, whose
    /// infinities and NaN may lie where the network has none.
    const float* run_tile(ProgramRunner& runner, std::size_t thread, std::size_t point, const SampleChunk& chunk,
                          std::int64_t first) const;
    /// The program in fp32, made when it is first asked for.
    ProgramRunner& plain_runner();
    /// Evaluates some (point, tile) pairs in fp32 into `parts`, [points, tiles]; `items` are their indices there, in
    /// order.
    void run_plainly(std::span<const Point> points, const SampleChunk& chunk, std::span<const std::size_t> items,
                     std::span<LossSums> parts);
    /// Sums over a tile's samples from its output.
    [[nodiscard]] LossSums loss_of(const float* output, const SampleChunk& chunk, std::int64_t first) const;

    LossSpec loss_;
    std::vector<FieldInfo> fields_;
    FieldInfo target_;
    std::size_t axes_ = 0;
    std::size_t states_ = 0;
    PassSet passes_;
    ParameterSpace space_;
    WorkerPool pool_;
    std::shared_ptr<const ResidentState> state_;
    ProgramRunner runner_;
    std::unique_ptr<ProgramRunner> plain_;  ///< fp32, beside a runner in bf16
    std::optional<StatisticsEstimator> estimator_;
};

/// Chooses the tile, binds and checks the request; the one place that says whether it can be run.
[[nodiscard]] BoundRequest bind_for_cpu(const ExecutableRequest& request);

}  // namespace lossmap::cpu
