#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "data/dataset.hpp"

namespace lossmap {

/// Samples that batch-norm statistics are estimated from: all of `data`, in order, in batches of `batch_samples`, of
/// which the last one may be shorter.
struct StatisticsSamples {
    std::shared_ptr<const Dataset> data;
    std::int64_t batch_samples = 0;

    /// Different sizes of the batches, for ExecutableRequest::statistics_batches.
    [[nodiscard]] std::vector<std::int64_t> batch_sizes() const;
};

/// A network whose batch-norm statistics are estimated anew at each point before its loss is evaluated. They depend on
/// the point and the samples alone, so that a resumed run has the bits of an unbroken one. Those of recent points are
/// kept; a point that brings its own statistics keeps them.
class ReestimatingExecutable final : public Executable {
public:
    /// @param network  compiled with samples.batch_sizes().
    /// @param stop  set by a signal: an estimate under way is given up with Interrupted. May be nullptr.
    ReestimatingExecutable(std::unique_ptr<Executable> network, StatisticsSamples samples,
                           const std::atomic<bool>* stop);

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] std::string plan_json() const override { return network_->plan_json(); }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return network_->macs_per_sample(); }
    [[nodiscard]] std::int64_t points_per_pass() const override { return network_->points_per_pass(); }
    [[nodiscard]] std::vector<NamedTensor> trace(const Point& point, const SampleChunk& chunk) override;
    [[nodiscard]] bool is_exact() const override { return network_->is_exact(); }
    /// Of the losses; statistics are the same on both sides.
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) override;
    /// The samples that it will keep included.
    [[nodiscard]] std::int64_t memory_bytes() const override;

private:
    using States = std::shared_ptr<const std::vector<float>>;

    /// The points with statistics, which `owners` hold.
    [[nodiscard]] std::vector<Point> with_statistics(std::span<const Point> points, std::vector<States>& owners);
    [[nodiscard]] States find(const Point& point) const;
    void keep(const Point& point, const States& states);
    [[nodiscard]] std::vector<States> estimate(std::span<const Point> points);
    void add_group(std::int64_t group, std::span<const Point> points, std::span<StatisticSums> totals);

    std::unique_ptr<Executable> network_;
    StatisticsSamples samples_;
    const std::atomic<bool>* stop_;
    std::int64_t group_samples_ = 0;  ///< whole batches that are read and run together
    std::int64_t groups_ = 0;
    std::int64_t samples_bytes_ = 0;  ///< of all samples
    std::vector<SampleChunk> kept_groups_;
    std::map<std::vector<double>, States> kept_states_;  ///< by coordinates
    std::deque<std::vector<double>> kept_points_;        ///< their keys, oldest first
    std::size_t kept_states_bytes_ = 0;
};

}  // namespace lossmap
