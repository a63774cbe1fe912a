#include "cpu/statistics_estimator.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/error.hpp"

namespace lossmap::cpu {
namespace {

/// Batches a round, in all points together, for each thread: threads end a round at about the same time.
constexpr std::size_t kItemsOfAThread = 4;

/// The statistics of one batch. Where they are not all finite, again without transforms, whose infinities and NaN may
/// lie where the network has none.
void estimate_batch(ProgramRunner& runner, std::size_t thread, std::size_t point, const SampleChunk& chunk,
                    std::int64_t first, std::vector<double>& statistics) {
    std::fill(statistics.begin(), statistics.end(), 0.0);
    runner.run(thread, point, chunk, first, false, statistics.data());
    if (std::all_of(statistics.begin(), statistics.end(), [](double value) { return std::isfinite(value); })) return;
    runner.run(thread, point, chunk, first, true, statistics.data());
}

}  // namespace

StatisticsEstimator::StatisticsEstimator(const ExecutableRequest& request,
                                         const std::shared_ptr<const ResidentState>& state, WorkerPool& pool)
    : pool_(pool), states_(static_cast<std::size_t>(request.space->states_size())) {
    for (const std::int64_t samples : request.statistics_batches) {
        runners_.push_back(std::make_unique<ProgramRunner>(
            pool_, [&] { return build_training_program(request, bind_batch(request, samples), state); }));
    }
}

ProgramRunner& StatisticsEstimator::runner_of(std::int64_t batch_samples) {
    for (const auto& runner : runners_) {
        if (runner->program().bound.tile_samples == batch_samples) return *runner;
    }
    throw InternalError("the request did not name batches of {} samples", batch_samples);
}

void StatisticsEstimator::estimate(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                                   std::span<StatisticSums> sums) {
    if (batch_samples < 1) throw InternalError("batches of {} samples", batch_samples);
    std::fill(sums.begin(), sums.end(), StatisticSums{std::vector<double>(states_, 0.0), 0});
    const std::int64_t whole = chunk.count / batch_samples * batch_samples;
    if (whole > 0) add_batches(runner_of(batch_samples), points, chunk, 0, whole, sums);
    if (whole < chunk.count) {
        add_batches(runner_of(chunk.count - whole), points, chunk, whole, chunk.count, sums);
    }
}

void StatisticsEstimator::add_batches(ProgramRunner& runner, std::span<const Point> points, const SampleChunk& chunk,
                                      std::int64_t begin, std::int64_t end, std::span<StatisticSums> sums) {
    const std::int64_t samples = runner.program().bound.tile_samples;
    const auto batches = static_cast<std::size_t>((end - begin) / samples);
    const std::size_t group = runner.group_size();
    std::vector<std::vector<double>> parts;
    for (std::size_t first = 0; first < points.size(); first += group) {
        const auto block = points.subspan(first, std::min(group, points.size() - first));
        runner.materialize(block);
        const std::size_t round = std::max<std::size_t>(kItemsOfAThread * pool_.size() / block.size(), 1);
        for (std::size_t done = 0; done < batches; done += round) {
            const std::size_t count = std::min(round, batches - done);
            parts.resize(block.size() * count, std::vector<double>(states_));
            std::atomic<std::size_t> next{0};
            pool_.run([&](std::size_t thread) {
                for (std::size_t item = next++; item < parts.size(); item = next++) {
                    const auto batch = static_cast<std::int64_t>(done + item % count);
                    estimate_batch(runner, thread, item / count, chunk, begin + batch * samples, parts[item]);
                }
            });
            for (std::size_t item = 0; item < parts.size(); ++item)
                sums[first + item / count] += StatisticSums{parts[item], 1};
        }
    }
}

std::vector<const Program*> StatisticsEstimator::programs() const {
    std::vector<const Program*> programs;
    for (const auto& runner : runners_)
        programs.push_back(&runner->program());
    return programs;
}

std::size_t StatisticsEstimator::memory_bytes() const {
    std::size_t bytes = 0;
    for (const auto& runner : runners_)
        bytes += runner->memory_bytes();
    return bytes;
}

}  // namespace lossmap::cpu
