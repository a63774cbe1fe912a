#include "cuda/backend/cuda_executable.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"
#include "cuda/backend/plans/recorded_plan.hpp"

namespace lossmap::cuda {
namespace {

/// Layout of the pinned results of a block.
struct ResultLayout {
    std::size_t weight_flags = 0;
    std::size_t faults = 0;  ///< of tiles, of weights
    std::size_t bytes = 0;

    ResultLayout(std::int64_t tiles, std::int64_t points) {
        weight_flags = static_cast<std::size_t>(tiles * points) * sizeof(kernels::DeviceLossSums);
        faults = weight_flags + static_cast<std::size_t>(points) * sizeof(std::uint32_t);
        bytes = faults + 2 * sizeof(std::uint32_t);
    }
};

}  // namespace

struct CudaExecutable::OwnedRequest {
    Graph graph;
    ParameterSpace space;
    StateVector origin;
    std::vector<std::vector<float>> weights;
    std::vector<std::vector<float>> states;
    ExecutableRequest request;

    explicit OwnedRequest(const ExecutableRequest& given)
        : graph(*given.graph), space(*given.space), origin(*given.origin), request(plain_request(given)) {
        for (const AxisView& axis : given.axes) {
            weights.emplace_back(axis.weights.begin(), axis.weights.end());
            states.emplace_back(axis.states.begin(), axis.states.end());
        }
        request.axes.clear();
        for (std::size_t k = 0; k < weights.size(); ++k)
            request.axes.push_back({weights[k], states[k], given.axes[k].resident});
        request.graph = &graph;
        request.space = &space;
        request.origin = &origin;
    }
};

CudaExecutable::CudaExecutable(const ExecutableRequest& request, std::shared_ptr<Planner> planner,
                               const PassChoice& passes)
    : loss_(request.loss) {
    auto device = planner->shared_device();
    shared_.planner = std::move(planner);
    shared_.main = device->make_queue();
    shared_.side = device->make_queue();
    shared_.staging = std::make_unique<StagedUpload>(*device, *shared_.main);
    shared_.theta = std::make_unique<ResidentTheta>(request, device, *shared_.staging);
    shared_.fields = request.inputs;
    shared_.target = request.target;
    shared_.has_target = loss_.kind != LossKind::output;
    shared_.device = std::move(device);
    runner_ = std::make_unique<ProgramRunner>(build_chosen(request, *shared_.planner, passes.inference), shared_);
    device_loss_ = std::make_unique<DeviceLoss>(loss_, program(), *shared_.device, *shared_.staging);
    if (!passes.training.empty()) estimator_.emplace(request, passes.training, shared_);
    shared_.main->synchronize();
    if (!program().is_exact()) {
        owned_ = std::make_unique<OwnedRequest>(request);
        owned_->request.tile_samples = static_cast<int>(program().options.tile_samples);
        owned_->request.tile_points = 0;
        owned_->request.recorded_plan =
            read_recorded_plan(request.recorded_plan, shared_.device->facts(), request.precision).rescue;
    }
}

CudaExecutable::~CudaExecutable() {
    // Memory must not go while work uses it; what the work raised has been reported where it was waited for.
    try {
        shared_.main->synchronize();
    } catch (const Error&) {
    }
}

void CudaExecutable::grow_sums(BlockSums& block, std::int64_t tiles) {
    const ResultLayout layout(tiles, program().options.points);
    if (block.sums.size_bytes() >= layout.weight_flags) return;
    shared_.main->synchronize();
    block.sums = {};
    block.sums = shared_.device->allocate(layout.weight_flags);
    block.results = {};
    block.results = shared_.device->allocate_pinned(layout.bytes);
}

void CudaExecutable::queue_loss(const Frame& frame, const Segment& segment, std::int64_t tile,
                                kernels::DeviceLossSums* sums) const {
    const std::int64_t tile_samples = program().options.tile_samples;
    // The data may have targets that the loss does not read.
    const std::size_t target_bytes =
        shared_.has_target
            ? static_cast<std::size_t>(element_count(shared_.target.sample_shape)) * size_of(shared_.target.dtype)
            : 0;
    const std::int64_t valid = std::min(tile_samples, segment.rows - tile * tile_samples);
    device_loss_->queue(frame, runner_->samples().targets(tile), runner_->samples().target_type(), target_bytes, valid,
                        sums);
}

void CudaExecutable::run_block(std::size_t set, const Segment& segment) {
    BlockSums& block = blocks_[set];
    grow_sums(block, segment.tiles);
    const BuildOptions& pass = program().options;
    const Frame here = runner_->frame(set, *shared_.main);
    auto* sums = block.sums.as<kernels::DeviceLossSums>();
    for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
        runner_->run_tile(set, tile);
        queue_loss(here, segment, tile, sums + tile * pass.points);
    }
    const ResultLayout layout(segment.tiles, pass.points);
    std::byte* results = block.results.data();
    shared_.main->copy_to_host(results, sums, layout.weight_flags);
    shared_.main->copy_to_host(results + layout.weight_flags, here.address(program().theta.weight_flags),
                               layout.faults - layout.weight_flags);
    runner_->copy_faults(set, reinterpret_cast<std::uint32_t*>(results + layout.faults));
}

void CudaExecutable::collect(std::size_t set, std::span<const Point> points, const SampleChunk& chunk,
                             const Segment& segment, std::span<LossSums> sums) {
    const BuildOptions& pass = program().options;
    const ResultLayout layout(segment.tiles, pass.points);
    const Memory& results = blocks_[set].results;
    const auto* tile_sums = results.as<kernels::DeviceLossSums>();
    const auto* weight_flags = reinterpret_cast<const std::uint32_t*>(results.data() + layout.weight_flags);
    std::array<std::uint32_t, 2> faults{};
    std::memcpy(faults.data(), results.data() + layout.faults, sizeof(faults));
    runner_->check_faults(faults);
    for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
        std::vector<Point> again;
        std::vector<std::size_t> whose;
        for (std::size_t p = 0; p < points.size(); ++p) {
            const kernels::DeviceLossSums& own = tile_sums[tile * pass.points + static_cast<std::int64_t>(p)];
            const bool suspect = own.overflowed > 0 || own.non_finite > 0 || weight_flags[p] != 0;
            if (owned_ != nullptr && suspect) {
                again.push_back(points[p]);
                whose.push_back(p);
            } else {
                sums[p] += host_sums(own);
            }
        }
        if (again.empty()) continue;
        const std::int64_t first = tile * pass.tile_samples;
        const std::vector<LossSums> exact =
            rescue(again, chunk, segment.first + first, std::min(pass.tile_samples, segment.rows - first));
        for (std::size_t k = 0; k < exact.size(); ++k)
            sums[whose[k]] += exact[k];
    }
}

std::vector<LossSums> CudaExecutable::rescue(std::span<const Point> points, const SampleChunk& chunk,
                                             std::int64_t first, std::int64_t rows) {
    std::vector<LossSums> sums(points.size());
    twin().evaluate(points, rows_of(chunk, first, rows), sums);
    for (LossSums& own : sums)
        own.overflowed = own.counted;
    return sums;
}

Executable& CudaExecutable::twin() {
    if (twin_ == nullptr) {
        const ExecutableRequest& request = owned_->request;
        const Sizing sizing{nullptr, "what overflows is little", memory_bytes()};
        // For the same reason its ways are not measured, which would take seconds of every start that asks for the
        // error of a precision.
        const std::shared_ptr<Planner> planner = shared_.planner->of_favourites();
        twin_ = with_context("evaluating again in fp32 what its precision does not hold", [&] {
            return std::make_unique<CudaExecutable>(request, planner, choose_passes(request, *planner, sizing));
        });
    }
    return *twin_;
}

void CudaExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    check_call(points, shared_.theta->axes(), states(), chunk, shared_.fields,
               shared_.has_target ? &shared_.target : nullptr);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    std::fill(sums.begin(), sums.end(), LossSums{});
    if (points.empty()) return;
    device_loss_->check_labels(chunk);
    for (const Segment& segment : runner_->segments(0, chunk.count)) {
        runner_->upload(chunk, segment);
        runner_->for_blocks(
            points, [&](const PointBlock& block) { run_block(block.set, segment); },
            [&](const PointBlock& block) {
                collect(block.set, points.subspan(block.first, block.count), chunk, segment,
                        sums.subspan(block.first, block.count));
            });
    }
}

void CudaExecutable::estimate_statistics(std::span<const Point> points, const SampleChunk& chunk,
                                         std::int64_t batch_samples, std::span<StatisticSums> sums) {
    if (!estimator_) return Executable::estimate_statistics(points, chunk, batch_samples, sums);
    check_call(points, shared_.theta->axes(), states(), chunk, shared_.fields, nullptr);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    estimator_->estimate(points, chunk, batch_samples, sums);
}

std::vector<double> CudaExecutable::precision_error(std::span<const Point> points, const SampleChunk& chunk) {
    if (owned_ == nullptr) return {};
    std::vector<LossSums> own(points.size());
    std::vector<LossSums> exact(points.size());
    evaluate(points, chunk, own);
    twin().evaluate(points, chunk, exact);
    std::vector<double> result;
    for (std::size_t k = 0; k < points.size(); ++k)
        result.push_back(loss_difference(own[k].loss_sum, exact[k].loss_sum));
    return result;
}

std::vector<std::shared_ptr<Mark>> CudaExecutable::timed_blocks(std::size_t blocks, const Segment& segment) {
    const auto count = blocks * static_cast<std::size_t>(program().options.points);
    const std::vector<Point> points(count, Point{std::vector<double>(shared_.theta->axes(), 0.0)});
    std::vector<std::shared_ptr<Mark>> begun;
    runner_->for_blocks(
        points,
        [&](const PointBlock& block) {
            begun.push_back(shared_.main->timed_mark());
            run_block(block.set, segment);
        },
        [](const PointBlock&) {});
    return begun;
}

double CudaExecutable::seconds_a_pass(const SampleChunk& chunk) {
    const Segment all = runner_->segments(0, chunk.count).front();
    runner_->upload(chunk, all);
    for (BlockSums& block : blocks_)
        grow_sums(block, all.tiles);
    // A set's first pass runs unrecorded, its second one is recorded.
    static_cast<void>(timed_blocks(kWarmBlocks, {all.first, std::min(all.rows, program().options.tile_samples), 1}));
    const auto begun = timed_blocks(kTimedBlocks, all);
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k + kBlocksARound < begun.size(); k += kBlocksARound)
        least = std::min(least, begun[k + kBlocksARound]->seconds_since(*begun[k]));
    return least / static_cast<double>(static_cast<std::int64_t>(kBlocksARound) * all.tiles);
}

std::string CudaExecutable::plan_json() const {
    const auto training = estimator_ ? estimator_->programs() : std::vector<const Program*>{};
    return plan_record(program(), training, twin_ == nullptr ? "" : twin_->plan_json(), shared_.device->facts());
}

std::int64_t CudaExecutable::memory_bytes() const {
    std::int64_t bytes = shared_.theta->memory_bytes() + runner_->memory_bytes();
    for (const BlockSums& block : blocks_)
        bytes += static_cast<std::int64_t>(block.sums.size_bytes());
    if (estimator_) bytes += estimator_->memory_bytes();
    if (twin_ != nullptr) bytes += twin_->memory_bytes();
    return bytes;
}

}  // namespace lossmap::cuda
