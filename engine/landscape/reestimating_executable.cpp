#include "landscape/reestimating_executable.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "data/input_bytes.hpp"

namespace lossmap {
namespace {

constexpr std::int64_t kKeptSamplesBytes = std::int64_t{256} << 20;
constexpr std::size_t kKeptStatesBytes = std::size_t{512} << 20;
/// Between two looks at the stop flag: seconds of a small machine, and still batches enough for a large one.
constexpr double kGroupMacs = 2e11;

}  // namespace

std::vector<std::int64_t> StatisticsSamples::batch_sizes() const {
    const std::int64_t count = data->size();
    if (batch_samples >= count) return {count};
    const std::int64_t last = count % batch_samples;
    return last == 0 ? std::vector{batch_samples} : std::vector{batch_samples, last};
}

ReestimatingExecutable::ReestimatingExecutable(std::unique_ptr<Executable> network, StatisticsSamples samples,
                                               const std::atomic<bool>* stop)
    : network_(std::move(network)), samples_(std::move(samples)), stop_(stop) {
    const std::int64_t count = samples_.data->size();
    if (samples_.batch_samples < 1 || count < 1) {
        throw InternalError("statistics from {} samples in batches of {}", count, samples_.batch_samples);
    }
    samples_.batch_samples = std::min(samples_.batch_samples, count);
    const std::int64_t batch = samples_.batch_samples;
    const double macs = std::max(1.0, static_cast<double>(network_->macs_per_sample()) * static_cast<double>(batch));
    const double bytes = std::max(1.0, static_cast<double>(input_bytes(samples_.data->inputs()) * batch));
    const double batches = std::min(kGroupMacs / macs, static_cast<double>(kKeptSamplesBytes) / bytes);
    const std::int64_t most = (count - 1) / batch + 1;
    group_samples_ = static_cast<std::int64_t>(std::clamp(batches, 1.0, static_cast<double>(most))) * batch;
    groups_ = (count - 1) / group_samples_ + 1;
    samples_bytes_ = input_bytes(samples_.data->inputs()) * count;
}

std::int64_t ReestimatingExecutable::memory_bytes() const {
    return network_->memory_bytes() + std::min(samples_bytes_, kKeptSamplesBytes) +
           static_cast<std::int64_t>(kept_states_bytes_);
}

void ReestimatingExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk,
                                      std::span<LossSums> sums) {
    std::vector<States> owners;
    network_->evaluate(with_statistics(points, owners), chunk, sums);
}

Tensor ReestimatingExecutable::forward(const Point& point, const SampleChunk& chunk) {
    std::vector<States> owners;
    return network_->forward(with_statistics({&point, 1}, owners).front(), chunk);
}

std::vector<NamedTensor> ReestimatingExecutable::trace(const Point& point, const SampleChunk& chunk) {
    std::vector<States> owners;
    return network_->trace(with_statistics({&point, 1}, owners).front(), chunk);
}

std::vector<double> ReestimatingExecutable::precision_error(std::span<const Point> points, const SampleChunk& chunk) {
    std::vector<States> owners;
    return network_->precision_error(with_statistics(points, owners), chunk);
}

std::vector<Point> ReestimatingExecutable::with_statistics(std::span<const Point> points, std::vector<States>& owners) {
    owners.assign(points.size(), nullptr);
    std::vector<Point> missing;
    std::vector<std::size_t> places;
    for (std::size_t k = 0; k < points.size(); ++k) {
        if (!points[k].states.empty()) continue;
        owners[k] = find(points[k]);
        if (owners[k] != nullptr) continue;
        missing.push_back(points[k]);
        places.push_back(k);
    }
    const std::vector<States> estimated = missing.empty() ? std::vector<States>{} : estimate(missing);
    for (std::size_t k = 0; k < estimated.size(); ++k) {
        owners[places[k]] = estimated[k];
        keep(missing[k], estimated[k]);
    }
    std::vector<Point> complete(points.begin(), points.end());
    for (std::size_t k = 0; k < complete.size(); ++k) {
        if (owners[k] != nullptr) complete[k].states = *owners[k];
    }
    return complete;
}

ReestimatingExecutable::States ReestimatingExecutable::find(const Point& point) const {
    const auto found = kept_states_.find(point.coordinates);
    return found == kept_states_.end() ? nullptr : found->second;
}

void ReestimatingExecutable::keep(const Point& point, const States& states) {
    if (!kept_states_.emplace(point.coordinates, states).second) return;
    kept_points_.push_back(point.coordinates);
    kept_states_bytes_ += states->size() * sizeof(float);
    while (kept_states_bytes_ > kKeptStatesBytes && kept_points_.size() > 1) {
        kept_states_bytes_ -= kept_states_.at(kept_points_.front())->size() * sizeof(float);
        kept_states_.erase(kept_points_.front());
        kept_points_.pop_front();
    }
}

std::vector<ReestimatingExecutable::States> ReestimatingExecutable::estimate(std::span<const Point> points) {
    std::vector<StatisticSums> totals(points.size());
    for (std::int64_t group = 0; group < groups_; ++group) {
        if (stop_ != nullptr && stop_->load()) {
            throw Interrupted(
                "interrupted while batch-norm statistics were estimated; run the same command again to go on");
        }
        add_group(group, points, totals);
    }
    std::vector<States> states;
    for (const StatisticSums& total : totals)
        states.push_back(std::make_shared<const std::vector<float>>(total.states()));
    return states;
}

void ReestimatingExecutable::add_group(std::int64_t group, std::span<const Point> points,
                                       std::span<StatisticSums> totals) {
    const bool keeps = samples_bytes_ <= kKeptSamplesBytes;
    const auto index = static_cast<std::size_t>(group);
    const auto read = [&] {
        const std::int64_t first = group * group_samples_;
        return samples_.data->read(first, std::min(group_samples_, samples_.data->size() - first));
    };
    std::vector<StatisticSums> sums(points.size());
    if (keeps) {
        if (index >= kept_groups_.size()) kept_groups_.push_back(read());
        network_->estimate_statistics(points, kept_groups_[index], samples_.batch_samples, sums);
    } else {
        network_->estimate_statistics(points, read(), samples_.batch_samples, sums);
    }
    for (std::size_t k = 0; k < points.size(); ++k)
        totals[k] += sums[k];
}

}  // namespace lossmap
