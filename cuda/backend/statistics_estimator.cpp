#include "cuda/backend/statistics_estimator.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "cuda/backend/pass_choice.hpp"

namespace lossmap::cuda {
namespace {

/// Share of a pass that statistics waiting on the host to be added may take, unless those of one tile are more.
constexpr std::int64_t kRoundShare = 64;
constexpr std::size_t kFaultBytes = 2 * sizeof(std::uint32_t);

}  // namespace

StatisticsEstimator::StatisticsEstimator(const ExecutableRequest& request, const std::vector<BuildOptions>& passes,
                                         const Shared& shared)
    : shared_(shared), states_(static_cast<std::size_t>(request.space->states_size())) {
    auto most = static_cast<std::size_t>(shared.device->facts().pass_bytes / kRoundShare);
    for (const BuildOptions& options : passes) {
        runners_.push_back(std::make_unique<ProgramRunner>(build_chosen(request, *shared.planner, options), shared));
        most = std::max(most, tile_bytes(runners_.back()->program()));
    }
    for (Round& round : rounds_)
        round.results = shared.device->allocate_pinned(most + kFaultBytes);
}

std::size_t StatisticsEstimator::tile_bytes(const Program& program) const {
    return static_cast<std::size_t>(program.options.points) * states_ * sizeof(double);
}

ProgramRunner& StatisticsEstimator::runner_of(std::int64_t batch_samples) {
    for (const auto& runner : runners_) {
        if (runner->program().options.tile_samples == batch_samples) return *runner;
    }
    throw InternalError("the request did not name batches of {} samples", batch_samples);
}

void StatisticsEstimator::estimate(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                                   std::span<StatisticSums> sums) {
    if (batch_samples < 1) throw InternalError("batches of {} samples", batch_samples);
    std::fill(sums.begin(), sums.end(), StatisticSums{std::vector<double>(states_, 0.0), 0});
    if (points.empty()) return;
    const std::int64_t whole = chunk.count / batch_samples * batch_samples;
    if (whole > 0) add_batches(runner_of(batch_samples), points, chunk, 0, whole, sums);
    const std::int64_t rest = chunk.count - whole;
    if (rest > 0) add_batches(runner_of(rest), points, chunk, whole, rest, sums);
}

void StatisticsEstimator::add_batches(ProgramRunner& runner, std::span<const Point> points, const SampleChunk& chunk,
                                      std::int64_t first, std::int64_t rows, std::span<StatisticSums> sums) {
    for (const Segment& segment : runner.segments(first, rows)) {
        runner.upload(chunk, segment);
        runner.for_blocks(
            points,
            [&](const PointBlock& block) { run_block(runner, block, segment, sums.subspan(block.first, block.count)); },
            [](const PointBlock&) {});
    }
}

void StatisticsEstimator::run_block(ProgramRunner& runner, const PointBlock& block, const Segment& segment,
                                    std::span<StatisticSums> sums) {
    const Program& program = runner.program();
    const std::size_t width = tile_bytes(program);
    const auto fitting = static_cast<std::int64_t>((rounds_[0].results.size_bytes() - kFaultBytes) / width);
    const Frame frame = runner.frame(block.set, *shared_.main);
    std::size_t turn = 0;
    for (std::int64_t first = 0; first < segment.tiles; first += fitting, turn = 1 - turn) {
        Round& round = rounds_[turn];
        round.tiles = std::min(fitting, segment.tiles - first);
        for (std::int64_t tile = 0; tile < round.tiles; ++tile) {
            runner.run_tile(block.set, first + tile);
            shared_.main->copy_to_host(round.results.data() + static_cast<std::size_t>(tile) * width,
                                       frame.address(program.statistics), width);
        }
        auto* words =
            reinterpret_cast<std::uint32_t*>(round.results.data() + static_cast<std::size_t>(round.tiles) * width);
        runner.copy_faults(block.set, words);
        round.done = shared_.main->mark();
        if (first > 0) collect(runner, rounds_[1 - turn], sums);
    }
    collect(runner, rounds_[1 - turn], sums);
}

void StatisticsEstimator::collect(ProgramRunner& runner, Round& round, std::span<StatisticSums> sums) const {
    round.done->synchronize();
    const std::size_t width = tile_bytes(runner.program());
    std::array<std::uint32_t, 2> faults{};
    std::memcpy(faults.data(), round.results.data() + static_cast<std::size_t>(round.tiles) * width, kFaultBytes);
    runner.check_faults(faults);
    const auto* values = round.results.as<double>();
    for (std::int64_t tile = 0; tile < round.tiles; ++tile) {
        const double* of_tile = values + static_cast<std::size_t>(tile) * width / sizeof(double);
        for (std::size_t p = 0; p < sums.size(); ++p) {
            const double* own = of_tile + p * states_;
            sums[p] += StatisticSums{{own, own + states_}, 1};
        }
    }
}

std::vector<const Program*> StatisticsEstimator::programs() const {
    std::vector<const Program*> programs;
    for (const auto& runner : runners_)
        programs.push_back(&runner->program());
    return programs;
}

std::int64_t StatisticsEstimator::memory_bytes() const {
    std::int64_t bytes = 0;
    for (const auto& runner : runners_)
        bytes += runner->memory_bytes();
    return bytes;
}

}  // namespace lossmap::cuda
