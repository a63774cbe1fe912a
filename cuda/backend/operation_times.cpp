// What each operation of a pass costs on the device, measured apart from the others.
#include <algorithm>
#include <functional>
#include <utility>

#include "backend/chunk_checks.hpp"
#include "cuda/backend/cuda_executable.hpp"

namespace lossmap::cuda {
namespace {

/// Runs between two marks: a mark costs about as much as a small kernel.
constexpr int kRuns = 8;

/// Seconds of what `work` queues, which may be repeated: recorded, so that no launch waits for the host.
double seconds_of(Queue& queue, const std::function<void()>& work) {
    const auto recording = queue.record([&] {
        for (int run = 0; run < kRuns; ++run)
            work();
    });
    queue.replay(*recording);
    const auto begin = queue.timed_mark();
    queue.replay(*recording);
    const auto end = queue.timed_mark();
    end->synchronize();
    return end->seconds_since(*begin) / kRuns;
}

}  // namespace

std::optional<PassTimes> CudaExecutable::measure_operations(const SampleChunk& chunk) {
    const Point origin{std::vector<double>(shared_.theta->axes(), 0.0)};
    check_call({&origin, 1}, shared_.theta->axes(), states(), chunk, shared_.fields,
               shared_.has_target ? &shared_.target : nullptr);
    device_loss_->check_labels(chunk);
    const BuildOptions& pass = program().options;
    PassTimes result{.points = pass.points, .samples = pass.tile_samples, .weights = {}, .tile = {}};
    if (chunk.count == 0) return result;
    const Segment segment{0, std::min(pass.tile_samples, chunk.count), 1};
    const std::vector<Point> points(static_cast<std::size_t>(pass.points), origin);
    const auto measure = [&](const PointBlock& block) {
        Queue& queue = *shared_.main;
        const Frame here = runner_->frame(block.set, queue);
        // Libraries set themselves up at the first call, which must not be recorded.
        run_block(block.set, segment);
        const auto add_phase = [&](Phase phase, std::vector<OperationTime>& times) {
            const auto index = static_cast<std::size_t>(phase);
            const auto& operations = program().parts.operations[index];
            for (std::size_t k = 0; k < operations.size(); ++k) {
                times.push_back({program().parts.names[index][k], operations[k]->implementation(),
                                 seconds_of(queue, [&] { operations[k]->queue(here); })});
            }
        };
        add_phase(Phase::theta, result.weights);
        const double inputs = seconds_of(queue, [&] { runner_->samples().queue_inputs(0, here); });
        result.tile.push_back({"samples", "copy", inputs});
        add_phase(Phase::tile, result.tile);
        auto* sums = blocks_[block.set].sums.as<kernels::DeviceLossSums>();
        const double loss = seconds_of(queue, [&] { queue_loss(here, segment, 0, sums); });
        result.tile.push_back({"loss", "kernel loss_terms, loss_sums", loss});
        // What runs again on its own results leaves behind what no data has caused.
        for (const Place& faults : {program().faults.place, program().theta.faults})
            queue.fill(here.address(faults), 0, sizeof(std::uint32_t));
    };
    runner_->upload(chunk, segment);
    for (BlockSums& block : blocks_)
        grow_sums(block, segment.tiles);
    runner_->for_blocks(points, measure, [](const PointBlock&) {});
    return result;
}

}  // namespace lossmap::cuda
