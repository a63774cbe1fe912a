#include "cuda/backend/cuda_executable.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

/// Share of the free memory that samples of a chunk may take; more of them go through in pieces.
constexpr std::int64_t kChunkShare = 4;

std::byte* place(const Frame& frame, const Place& where) { return frame.address(where); }

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

SampleChunk rows_of(const SampleChunk& chunk, std::int64_t first, std::int64_t rows) {
    const auto slice = [&](const Tensor& whole) {
        Shape shape = whole.shape();
        shape[0] = rows;
        Tensor part(whole.dtype(), shape);
        const std::size_t width = chunk.count == 0 ? 0 : whole.size_bytes() / static_cast<std::size_t>(chunk.count);
        std::memcpy(part.data(), static_cast<const std::byte*>(whole.data()) + static_cast<std::size_t>(first) * width,
                    part.size_bytes());
        return part;
    };
    SampleChunk result;
    result.first = chunk.first + first;
    result.count = rows;
    for (const Tensor& input : chunk.inputs)
        result.inputs.push_back(slice(input));
    result.target = slice(chunk.target);
    return result;
}

}  // namespace

struct CudaExecutable::OwnedRequest {
    Graph graph;
    ParameterSpace space;
    StateVector origin;
    std::vector<std::vector<float>> weights;
    std::vector<std::vector<float>> states;
    ExecutableRequest request;

    explicit OwnedRequest(const ExecutableRequest& given)
        : graph(*given.graph), space(*given.space), origin(*given.origin), request(given) {
        for (const AxisView& axis : given.axes) {
            weights.emplace_back(axis.weights.begin(), axis.weights.end());
            states.emplace_back(axis.states.begin(), axis.states.end());
        }
        request.axes.clear();
        for (std::size_t k = 0; k < weights.size(); ++k)
            request.axes.push_back({weights[k], states[k]});
        request.graph = &graph;
        request.space = &space;
        request.origin = &origin;
        request.precision = Precision::fp32;
        request.traceable = false;
    }
};

CudaExecutable::CudaExecutable(const ExecutableRequest& request, std::shared_ptr<Device> device)
    : device_(std::move(device)),
      loss_(request.loss),
      fields_(request.inputs),
      target_(request.target),
      axes_(request.axes.size()),
      program_(build_for_device(request, *device_)),
      main_(device_->make_queue()),
      side_(device_->make_queue()),
      staging_(std::make_unique<StagedUpload>(*device_, *main_)) {
    origin_states_ = request.origin->states;
    for (const AxisView& axis : request.axes)
        axis_states_.emplace_back(axis.states.begin(), axis.states.end());
    allocate();
    upload_resident(request);
    for (std::size_t set = 0; set < kThetaSets; ++set) {
        const Frame here = frame(set, *main_);
        const Upload upload = [&](const Place& where, std::span<const std::byte> bytes) {
            staging_->copy(place(here, where), bytes);
        };
        for (const auto& phase : program_->parts.operations) {
            for (const auto& operation : phase)
                operation->prepare(here, upload);
        }
    }
    const Frame here = frame(0, *main_);
    main_->fill(here.address(program_->faults), 0, sizeof(std::uint32_t));
    for (const auto& operation : program_->parts.operations[static_cast<std::size_t>(Phase::constant)])
        operation->queue(here);
    chunk_ = std::make_unique<ChunkBuffers>(*program_, fields_, target_, loss_.kind != LossKind::output);
    device_loss_ = std::make_unique<DeviceLoss>(loss_, *program_, *device_, *staging_);
    main_->synchronize();
    if (request.precision != Precision::fp32) {
        owned_ = std::make_unique<OwnedRequest>(request);
        owned_->request.tile_samples = static_cast<int>(program_->options.tile_samples);
        owned_->request.tile_points = 0;
    }
}

CudaExecutable::~CudaExecutable() {
    // Memory must not go while work uses it; what the work raised has been reported where it was waited for.
    try {
        side_->synchronize();
        main_->synchronize();
    } catch (const Error&) {
    }
}

Frame CudaExecutable::frame(std::size_t set, Queue& queue) const {
    Frame result;
    result.queue = &queue;
    result.arenas = {constants_.data(), sets_[set].arena.data(), tile_.data()};
    result.offsets = &program_->parts.offsets;
    result.theta_set = set;
    return result;
}

void CudaExecutable::allocate() {
    constants_ = device_->allocate(program_->arena_bytes(Phase::constant));
    tile_ = device_->allocate(program_->arena_bytes(Phase::tile));
    const auto coordinates =
        static_cast<std::size_t>(program_->options.points) * std::max<std::size_t>(axes_, 1) * sizeof(float);
    for (Set& set : sets_) {
        set.arena = device_->allocate(program_->arena_bytes(Phase::theta));
        set.coordinates = device_->allocate_pinned(coordinates);
        set.states = device_->allocate_pinned(static_cast<std::size_t>(program_->options.points) *
                                              origin_states_.size() * sizeof(float));
    }
}

void CudaExecutable::upload_resident(const ExecutableRequest& request) {
    const Frame here = frame(0, *main_);
    for (const InitialBytes& initial : program_->parts.initial)
        staging_->copy(place(here, initial.place), initial.bytes);
    const ResidentTheta& resident = program_->resident;
    staging_->copy(place(here, resident.origin), std::as_bytes(std::span(request.origin->weights)));
    for (std::size_t k = 0; k < request.axes.size(); ++k) {
        if (resident.axes[k]) staging_->copy(place(here, *resident.axes[k]), std::as_bytes(request.axes[k].weights));
    }
}

void CudaExecutable::fill_states(const Point& point, std::span<float> states) const {
    if (!point.states.empty()) {
        std::copy(point.states.begin(), point.states.end(), states.begin());
        return;
    }
    for (std::size_t k = 0; k < states.size(); ++k) {
        // The offset is rounded before it is added, each product and sum by itself: the bits of the other backends.
        float offset = 0.0F;
        bool moved = false;
        for (std::size_t axis = 0; axis < axis_states_.size(); ++axis) {
            if (axis_states_[axis].empty()) continue;
            const float step = axis_states_[axis][k] * static_cast<float>(point.coordinates[axis]);
            offset = moved ? offset + step : step;
            moved = true;
        }
        states[k] = moved ? origin_states_[k] + offset : origin_states_[k];
    }
}

void CudaExecutable::materialize(std::span<const Point> points, std::size_t index) {
    Set& set = sets_[index];
    auto* coordinates = set.coordinates.as<float>();
    for (std::size_t p = 0; p < static_cast<std::size_t>(program_->options.points); ++p) {
        const Point& point = points[std::min(p, points.size() - 1)];
        for (std::size_t k = 0; k < axes_; ++k)
            coordinates[p * axes_ + k] = static_cast<float>(point.coordinates[k]);
        fill_states(point, {set.states.as<float>() + p * origin_states_.size(), origin_states_.size()});
    }
    if (set.done != nullptr) side_->wait(set.done);
    const Frame here = frame(index, *side_);
    if (axes_ > 0) {
        side_->copy_to_device(place(here, program_->resident.coordinates), coordinates,
                              static_cast<std::size_t>(program_->options.points) * axes_ * sizeof(float));
    }
    if (set.states.size_bytes() > 0) {
        side_->copy_to_device(here.address(program_->resident.states), set.states.data(), set.states.size_bytes());
    }
    const auto queue_all = [&] {
        for (const auto& operation : program_->parts.operations[static_cast<std::size_t>(Phase::theta)])
            operation->queue(here);
    };
    if (!set.theta_warm) {
        queue_all();
        set.theta_warm = true;
    } else {
        if (set.theta_pass == nullptr) set.theta_pass = side_->record(queue_all);
        side_->replay(*set.theta_pass);
    }
    set.ready = side_->mark();
}

void CudaExecutable::run_tile_pass(std::size_t index, std::int64_t tile) {
    Set& set = sets_[index];
    const Frame here = frame(index, *main_);
    chunk_->queue_inputs(tile, here);
    const auto queue_all = [&] {
        here.queue->fill(here.address(program_->flags), 0, program_->flags.span_bytes(program_->options.points));
        for (const auto& operation : program_->parts.operations[static_cast<std::size_t>(Phase::tile)])
            operation->queue(here);
    };
    if (!set.tile_warm) {
        queue_all();
        set.tile_warm = true;
        return;
    }
    if (set.tile_pass == nullptr) set.tile_pass = main_->record(queue_all);
    main_->replay(*set.tile_pass);
}

void CudaExecutable::grow_sums(Set& set, std::int64_t tiles) {
    const ResultLayout layout(tiles, program_->options.points);
    if (set.sums.size_bytes() < layout.weight_flags) {
        main_->synchronize();
        set.sums = {};
        set.sums = device_->allocate(layout.weight_flags);
        set.results = {};
        set.results = device_->allocate_pinned(layout.bytes);
    }
}

void CudaExecutable::run_block(std::size_t index, const Segment& segment) {
    Set& set = sets_[index];
    grow_sums(set, segment.tiles);
    const Frame here = frame(index, *main_);
    main_->wait(set.ready);
    const std::int64_t tile_samples = program_->options.tile_samples;
    const std::size_t target_bytes =
        static_cast<std::size_t>(element_count(target_.sample_shape)) * size_of(target_.dtype);
    auto* sums = set.sums.as<kernels::DeviceLossSums>();
    for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
        run_tile_pass(index, tile);
        const std::int64_t valid = std::min(tile_samples, segment.rows - tile * tile_samples);
        device_loss_->queue(here, chunk_->targets(tile), chunk_->target_type(), target_bytes, valid,
                            sums + tile * program_->options.points);
    }
    const ResultLayout layout(segment.tiles, program_->options.points);
    std::byte* results = set.results.data();
    main_->copy_to_host(results, sums, layout.weight_flags);
    main_->copy_to_host(results + layout.weight_flags, place(here, program_->resident.weight_flags),
                        layout.faults - layout.weight_flags);
    main_->copy_to_host(results + layout.faults, here.address(program_->faults), sizeof(std::uint32_t));
    main_->copy_to_host(results + layout.faults + sizeof(std::uint32_t), place(here, program_->resident.faults),
                        sizeof(std::uint32_t));
    set.done = main_->mark();
}

void CudaExecutable::check_faults(std::uint32_t faults) const {
    if (faults == 0) return;
    main_->fill(frame(0, *main_).address(program_->faults), 0, sizeof(std::uint32_t));
    if ((faults & kernels::kFaultIndex) != 0)
        throw InputError("the network looks up an index that lies outside its table or dimension");
    if ((faults & kernels::kFaultDivision) != 0) throw InputError("the network divides an integer by zero");
    throw InputError("a label is not one of the classes");
}

void CudaExecutable::collect(std::size_t index, std::span<const Point> points, const SampleChunk& chunk,
                             const Segment& segment, std::span<LossSums> sums) {
    Set& set = sets_[index];
    set.done->synchronize();
    const std::int64_t pass_points = program_->options.points;
    const ResultLayout layout(segment.tiles, pass_points);
    const auto* tile_sums = set.results.as<kernels::DeviceLossSums>();
    const auto* weight_flags = reinterpret_cast<const std::uint32_t*>(set.results.data() + layout.weight_flags);
    std::array<std::uint32_t, 2> faults{};
    std::memcpy(faults.data(), set.results.data() + layout.faults, sizeof(faults));
    check_faults(faults[0] | faults[1]);
    for (std::int64_t tile = 0; tile < segment.tiles; ++tile) {
        std::vector<Point> again;
        std::vector<std::size_t> whose;
        for (std::size_t p = 0; p < points.size(); ++p) {
            const kernels::DeviceLossSums& own = tile_sums[tile * pass_points + static_cast<std::int64_t>(p)];
            const bool suspect = own.overflowed > 0 || own.non_finite > 0 || weight_flags[p] != 0;
            if (owned_ != nullptr && suspect) {
                again.push_back(points[p]);
                whose.push_back(p);
            } else {
                sums[p] += host_sums(own);
            }
        }
        if (again.empty()) continue;
        const std::int64_t first = tile * program_->options.tile_samples;
        const std::vector<LossSums> exact =
            rescue(again, chunk, segment.first + first, std::min(program_->options.tile_samples, segment.rows - first));
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
    if (twin_ == nullptr) twin_ = std::make_unique<CudaExecutable>(owned_->request, device_);
    return *twin_;
}

std::vector<CudaExecutable::Segment> CudaExecutable::segments(const SampleChunk& chunk) const {
    const std::int64_t tile = program_->options.tile_samples;
    const auto tile_bytes = static_cast<std::int64_t>(std::max<std::size_t>(chunk_->bytes_for(tile), 1));
    const std::int64_t most = std::max<std::int64_t>(device_->facts().free_bytes / kChunkShare / tile_bytes, 1) * tile;
    std::vector<Segment> result;
    for (std::int64_t first = 0; first < chunk.count; first += most) {
        const std::int64_t rows = std::min(most, chunk.count - first);
        result.push_back({first, rows, (rows + tile - 1) / tile});
    }
    return result;
}

void CudaExecutable::evaluate_segment(std::span<const Point> points, const SampleChunk& chunk, const Segment& segment,
                                      std::span<LossSums> sums) {
    // Work that a call left behind when it threw must not see its memory written again.
    side_->synchronize();
    chunk_->upload(chunk, segment.first, segment.rows, *device_, *main_, *staging_);
    const auto block_points = static_cast<std::size_t>(program_->options.points);
    const std::size_t blocks = (points.size() + block_points - 1) / block_points;
    const auto block = [&](std::size_t b) {
        const std::size_t begin = b * block_points;
        return std::pair(begin, std::min(block_points, points.size() - begin));
    };
    const auto finish = [&](std::size_t b) {
        const auto [begin, count] = block(b);
        collect(b % kThetaSets, points.subspan(begin, count), chunk, segment, sums.subspan(begin, count));
    };
    const auto begin_weights = [&](std::size_t b) {
        const auto [begin, count] = block(b);
        materialize(points.subspan(begin, count), b % kThetaSets);
    };
    begin_weights(0);
    for (std::size_t b = 0; b < blocks; ++b) {
        run_block(b % kThetaSets, segment);
        if (b > 0) finish(b - 1);
        // Behind the wait for block b - 1: its set, and the memory its coordinates came from, are free.
        if (b + 1 < blocks) begin_weights(b + 1);
    }
    finish(blocks - 1);
}

void CudaExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    check_call(points, axes_, origin_states_.size(), chunk, fields_,
               loss_.kind == LossKind::output ? nullptr : &target_);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    std::fill(sums.begin(), sums.end(), LossSums{});
    if (points.empty()) return;
    device_loss_->check_labels(chunk);
    for (const Segment& segment : segments(chunk))
        evaluate_segment(points, chunk, segment, sums);
}

std::vector<double> CudaExecutable::precision_error(std::span<const Point> points, const SampleChunk& chunk) {
    if (owned_ == nullptr) return {};
    std::vector<LossSums> own(points.size());
    std::vector<LossSums> exact(points.size());
    evaluate(points, chunk, own);
    twin().evaluate(points, chunk, exact);
    std::vector<double> result;
    for (std::size_t k = 0; k < points.size(); ++k)
        result.push_back(std::abs(own[k].loss_sum - exact[k].loss_sum) / std::abs(exact[k].loss_sum));
    return result;
}

std::string CudaExecutable::plan_json() const { return plan_record(*program_, device_->facts()); }

std::int64_t CudaExecutable::memory_bytes() const {
    std::int64_t bytes = program_->memory_bytes() + chunk_->memory_bytes();
    for (const Set& set : sets_)
        bytes += static_cast<std::int64_t>(set.sums.size_bytes());
    if (twin_ != nullptr) bytes += twin_->memory_bytes();
    return bytes;
}

}  // namespace lossmap::cuda
