#include "cpu/cpu_executable.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <dnnl.hpp>
#include <limits>

#include "core/error.hpp"
#include "cpu/cpu_info.hpp"
#include "cpu/host_loss.hpp"
#include "cpu/plan_record.hpp"

namespace lossmap::cpu {
namespace {

/// Weights of several points at once keep threads busy to the end of a group; more than this much memory is not worth
/// it.
constexpr std::size_t kSetsBytes = std::size_t{256} << 20;
constexpr std::size_t kMostSets = 16;
constexpr std::int64_t kMostTileSamples = 16;

/// The largest power of two of samples whose activations are at most twice the second-level cache. Measured with
/// ResNet-56 (192 KiB a sample) on 1 MiB of it, images a CPU second: 1 sample 419, 2 421, 4 437, 8 451, 16 452. Small
/// tiles read the weights too often; large ones would cost memory and bandwidth of the shared cache.
std::int64_t choose_tile(std::int64_t bytes_per_sample) {
    const std::int64_t room = 2 * level2_cache_bytes();
    std::int64_t tile = 2;
    while (tile < kMostTileSamples && 2 * tile * bytes_per_sample <= room)
        tile *= 2;
    return tile;
}

std::size_t thread_count(int asked) {
    if (asked < 0) throw InputError("{} threads were asked for", asked);
    return static_cast<std::size_t>(asked == 0 ? usable_threads() : asked);
}

std::size_t set_count(std::size_t set_bytes) {
    return std::clamp<std::size_t>(kSetsBytes / std::max<std::size_t>(set_bytes, 1), 1, kMostSets);
}

void convert_integers(const std::int64_t* from, std::int32_t* to, std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k) {
        if (from[k] < std::numeric_limits<std::int32_t>::min() || from[k] > std::numeric_limits<std::int32_t>::max()) {
            throw InputError("the data hold {}, the graph input is i32", from[k]);
        }
        to[k] = static_cast<std::int32_t>(from[k]);
    }
}

}  // namespace

BoundRequest bind_for_cpu(const ExecutableRequest& request) {
    if (request.precision != Precision::fp32) {
        throw UnsupportedError("the CPU backend computes in fp32, not in {}", name_of(request.precision));
    }
    static_cast<void>(thread_count(request.threads));
    if (request.graph == nullptr) throw InternalError("a request needs a graph");
    const std::int64_t required = required_tile_samples(request);
    if (required > 0) return bind_request(request, required);
    BoundRequest small = bind_request(request, 2);
    const std::int64_t tile = choose_tile(activation_bytes_per_sample(small, request.fuse));
    return tile == 2 ? std::move(small) : bind_request(request, tile);
}

struct CpuExecutable::Worker {
    explicit Worker(const dnnl::engine& engine) : stream(engine) {}

    AlignedBuffer arena;
    dnnl::stream stream;
    Frame frame;
};

CpuExecutable::CpuExecutable(const ExecutableRequest& request)
    : loss_(request.loss),
      fields_(request.inputs),
      target_(request.target),
      axes_(request.axes.size()),
      fuse_(request.fuse),
      pool_(thread_count(request.threads)) {
    // Primitives are made where they will run: they remember how many threads OpenMP offered.
    pool_.run([&](std::size_t thread) {
        if (thread == 0) program_ = build_program(request, bind_for_cpu(request));
    });
    workers_.resize(pool_.size());
    pool_.run([&](std::size_t thread) {
        auto worker = std::make_unique<Worker>(*program_->engine);
        worker->arena = AlignedBuffer(std::max<std::size_t>(program_->arena_bytes, 64));
        // First touched by the thread that uses it, for machines with several memory nodes.
        std::memset(worker->arena.data(), 0, worker->arena.size_bytes());
        worker->frame.thread = thread;
        worker->frame.arena = static_cast<std::byte*>(worker->arena.data());
        worker->frame.blocks = &program_->blocks;
        worker->frame.stream = &worker->stream;
        workers_[thread] = std::move(worker);
    });
    for (const auto& worker : workers_) {
        for (const auto& operation : program_->operations)
            operation->attach(worker->frame);
    }
}

CpuExecutable::~CpuExecutable() = default;

std::int64_t CpuExecutable::tiles_of(const SampleChunk& chunk) const {
    const std::int64_t tile = program_->bound.tile_samples;
    return (chunk.count + tile - 1) / tile;
}

void CpuExecutable::check(std::span<const Point> points, const SampleChunk& chunk, bool needs_target) const {
    for (const Point& point : points) {
        if (point.coordinates.size() == axes_) continue;
        throw InternalError("a point has {} coordinates, there are {} axes", point.coordinates.size(), axes_);
    }
    const auto fits = [&](const Tensor& tensor, const FieldInfo& field) {
        Shape shape{chunk.count};
        shape.insert(shape.end(), field.sample_shape.begin(), field.sample_shape.end());
        return tensor.dtype() == field.dtype && tensor.shape() == shape;
    };
    bool good = chunk.count >= 0 && chunk.inputs.size() == fields_.size();
    for (std::size_t k = 0; good && k < fields_.size(); ++k)
        good = fits(chunk.inputs[k], fields_[k]);
    if (good && needs_target) good = fits(chunk.target, target_);
    if (!good) throw InternalError("a chunk of samples does not have the fields that the executable was made for");
}

void CpuExecutable::materialize(std::span<const Point> points) {
    const Materializer& materializer = *program_->materializer;
    while (sets_.size() < points.size()) {
        sets_.emplace_back(std::max<std::size_t>(materializer.set_bytes(), 64));
        scratches_.emplace_back(std::max<std::size_t>(materializer.scratch_bytes(), 64));
    }
    std::atomic<std::size_t> next{0};
    pool_.run([&](std::size_t thread) {
        for (std::size_t k = next++; k < points.size(); k = next++) {
            materializer.materialize(points[k], static_cast<std::byte*>(sets_[k].data()),
                                     static_cast<std::byte*>(scratches_[k].data()), workers_[thread]->stream);
        }
    });
}

void CpuExecutable::fill_input(const InputBinding& input, void* target, const Tensor& source,
                               std::int64_t first) const {
    const std::int64_t tile = program_->bound.tile_samples;
    const std::int64_t rows = source.shape()[0];
    const std::int64_t whole = std::min(tile, rows - first);
    const std::int64_t width = input.sample_elements;
    const auto copy = [&](std::int64_t from, std::int64_t to, std::int64_t count) {
        if (input.dtype == DType::i32) {
            convert_integers(source.as<std::int64_t>().data() + from * width,
                             static_cast<std::int32_t*>(target) + to * width, count * width);
            return;
        }
        const std::size_t bytes = size_of(input.dtype) * static_cast<std::size_t>(width);
        std::memcpy(static_cast<std::byte*>(target) + static_cast<std::size_t>(to) * bytes,
                    static_cast<const std::byte*>(source.data()) + static_cast<std::size_t>(from) * bytes,
                    static_cast<std::size_t>(count) * bytes);
    };
    copy(first, 0, whole);
    // The last tile is filled up with repeats that do not count.
    for (std::int64_t row = whole; row < tile; ++row)
        copy(rows - 1, row, 1);
}

const float* CpuExecutable::run_tile(Worker& worker, std::size_t set, const SampleChunk& chunk, std::int64_t first) {
    worker.frame.exact = false;
    const float* output = run_operations(worker, set, chunk, first);
    const auto count = program_->bound.tile_samples * element_count(program_->bound.output_sample_shape);
    if (std::all_of(output, output + count, [](float value) { return std::isfinite(value); })) return output;
    worker.frame.exact = true;
    return run_operations(worker, set, chunk, first);
}

const float* CpuExecutable::run_operations(Worker& worker, std::size_t set, const SampleChunk& chunk,
                                           std::int64_t first) {
    Frame& frame = worker.frame;
    frame.set = static_cast<const std::byte*>(sets_[set].data());
    for (const InputBinding& input : program_->inputs) {
        fill_input(input, frame.writable(input.place), chunk.inputs[input.field], first);
    }
    for (const auto& operation : program_->operations)
        operation->run(frame);
    return static_cast<const float*>(frame.readable(program_->output));
}

void CpuExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    check(points, chunk, loss_.kind != LossKind::output);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    const std::int64_t tile = program_->bound.tile_samples;
    const auto tiles = static_cast<std::size_t>(tiles_of(chunk));
    Shape output_shape{tile};
    const Shape& sample_shape = program_->bound.output_sample_shape;
    output_shape.insert(output_shape.end(), sample_shape.begin(), sample_shape.end());
    const std::size_t group = set_count(program_->materializer->set_bytes() + program_->materializer->scratch_bytes());
    std::vector<LossSums> parts;
    for (std::size_t begin = 0; begin < points.size(); begin += group) {
        const auto block = points.subspan(begin, std::min(group, points.size() - begin));
        materialize(block);
        parts.assign(block.size() * tiles, {});
        std::atomic<std::size_t> next{0};
        pool_.run([&](std::size_t thread) {
            for (std::size_t item = next++; item < parts.size(); item = next++) {
                const std::int64_t first = static_cast<std::int64_t>(item % tiles) * tile;
                const float* output = run_tile(*workers_[thread], item / tiles, chunk, first);
                parts[item] = host_loss(loss_, {DType::f32, output_shape, output}, chunk.target.view(), first,
                                        std::min(tile, chunk.count - first), chunk.first);
            }
        });
        for (std::size_t k = 0; k < block.size(); ++k) {
            sums[begin + k] = {};
            for (std::size_t t = 0; t < tiles; ++t)
                sums[begin + k] += parts[k * tiles + t];
        }
    }
}

Tensor CpuExecutable::forward(const Point& point, const SampleChunk& chunk) {
    check({&point, 1}, chunk, false);
    Shape shape{chunk.count};
    const Shape& sample_shape = program_->bound.output_sample_shape;
    shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
    Tensor result(DType::f32, shape);
    const auto width = static_cast<std::size_t>(element_count(sample_shape));
    const std::int64_t tile = program_->bound.tile_samples;
    const auto tiles = static_cast<std::size_t>(tiles_of(chunk));
    materialize({&point, 1});
    std::atomic<std::size_t> next{0};
    pool_.run([&](std::size_t thread) {
        for (std::size_t item = next++; item < tiles; item = next++) {
            const std::int64_t first = static_cast<std::int64_t>(item) * tile;
            const float* output = run_tile(*workers_[thread], 0, chunk, first);
            const auto count = static_cast<std::size_t>(std::min(tile, chunk.count - first)) * width;
            std::copy_n(output, count, result.as<float>().data() + static_cast<std::size_t>(first) * width);
        }
    });
    return result;
}

std::string CpuExecutable::plan_json() const { return plan_record(*program_, fuse_); }

std::int64_t CpuExecutable::memory_bytes() const {
    std::size_t bytes = program_->materializer->resident_bytes() + workers_.size() * program_->arena_bytes;
    for (const AlignedBuffer& set : sets_)
        bytes += set.size_bytes();
    for (const AlignedBuffer& scratch : scratches_)
        bytes += scratch.size_bytes();
    return static_cast<std::int64_t>(bytes);
}

}  // namespace lossmap::cpu
