#include "cpu/cpu_executable.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <utility>

#include "backend/chunk_checks.hpp"
#include "core/error.hpp"
#include "cpu/cpu_info.hpp"
#include "cpu/host_loss.hpp"
#include "cpu/plan_record.hpp"

namespace lossmap::cpu {
namespace {

constexpr std::int64_t kMostTileSamples = 16;
/// For which operations are measured, on all threads.
constexpr double kMeasuredSeconds = 0.5;

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

/// A batch runs as one tile on each thread: refused before memory is taken.
void require_room(const BoundRequest& batch, const ExecutableRequest& request) {
    const auto threads = static_cast<double>(thread_count(request.threads));
    const double bytes = static_cast<double>(activation_bytes_per_sample(batch, request.passes, Precision::fp32)) *
                         static_cast<double>(batch.tile_samples) * threads;
    const auto available = static_cast<double>(memory_bytes());
    if (bytes <= available) return;
    constexpr double kMebibyte = 1024.0 * 1024.0;
    throw InputError(
        "statistics from batches of {} samples need about {:.0f} MiB for activations on {} threads, the machine has "
        "{:.0f} MiB",
        batch.tile_samples, bytes / kMebibyte, threads, available / kMebibyte);
}

void require_precision(Precision precision) {
    if (precision == Precision::fp32) return;
    if (precision != Precision::bf16) {
        throw UnsupportedError("the CPU backend computes in fp32 and bf16, not in {}", name_of(precision));
    }
    if (!bf16_available()) {
        throw UnsupportedError("bf16 on the CPU needs AVX-512 with bf16, or AMX; here oneDNN has {}, which runs fp32",
                               instruction_set());
    }
}

bool all_finite(std::span<const float> values) {
    return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace

BoundRequest bind_for_cpu(const ExecutableRequest& request) {
    require_precision(request.precision);
    static_cast<void>(thread_count(request.threads));
    if (request.graph == nullptr) throw InternalError("a request needs a graph");
    for (const std::int64_t samples : request.statistics_batches)
        require_room(bind_batch(request, samples), request);
    const std::int64_t required = required_tile_samples(request);
    if (required > 0) return bind_request(request, required);
    BoundRequest small = bind_request(request, 2);
    const std::int64_t tile = choose_tile(activation_bytes_per_sample(small, request.passes, request.precision));
    return tile == 2 ? std::move(small) : bind_request(request, tile);
}

CpuExecutable::CpuExecutable(const ExecutableRequest& request)
    : loss_(request.loss),
      fields_(request.inputs),
      target_(request.target),
      axes_(request.axes.size()),
      states_(static_cast<std::size_t>(request.space->states_size())),
      passes_(request.passes),
      space_(*request.space),
      pool_(thread_count(request.threads)),
      state_(copy_state(request)),
      runner_(pool_, [&] { return build_program(request, bind_for_cpu(request), state_, request.precision); }) {
    if (!request.statistics_batches.empty()) estimator_.emplace(request, state_, pool_);
}

std::int64_t CpuExecutable::tiles_of(const SampleChunk& chunk) const {
    const std::int64_t tile = runner_.program().bound.tile_samples;
    return (chunk.count + tile - 1) / tile;
}

std::size_t CpuExecutable::output_elements() const {
    const BoundRequest& bound = runner_.program().bound;
    return static_cast<std::size_t>(bound.tile_samples * element_count(bound.output_sample_shape));
}

const float* CpuExecutable::run_tile(ProgramRunner& runner, std::size_t thread, std::size_t point,
                                     const SampleChunk& chunk, std::int64_t first) const {
    const float* output = runner.run(thread, point, chunk, first, false);
    return all_finite({output, output_elements()}) ? output : runner.run(thread, point, chunk, first, true);
}

ProgramRunner& CpuExecutable::plain_runner() {
    if (plain_ == nullptr) {
        ExecutableRequest request;
        request.space = &space_;
        request.passes = passes_;
        plain_ = std::make_unique<ProgramRunner>(
            pool_, [&] { return build_program(request, runner_.program().bound, state_, Precision::fp32); });
    }
    return *plain_;
}

void CpuExecutable::run_plainly(std::span<const Point> points, const SampleChunk& chunk,
                                std::span<const std::size_t> items, std::span<LossSums> parts) {
    const auto tiles = static_cast<std::size_t>(tiles_of(chunk));
    ProgramRunner& runner = plain_runner();
    std::vector<Point> group;
    for (std::size_t begin = 0; begin < items.size();) {
        // Items come in order of points: those of as many points as weights are held for.
        group.clear();
        std::vector<std::size_t> slots;
        std::size_t end = begin;
        for (; end < items.size(); ++end) {
            const bool same = end > begin && items[end] / tiles == items[end - 1] / tiles;
            if (!same && group.size() == runner.group_size()) break;
            if (!same) group.push_back(points[items[end] / tiles]);
            slots.push_back(group.size() - 1);
        }
        runner.materialize(group);
        std::atomic<std::size_t> next{begin};
        pool_.run([&](std::size_t thread) {
            for (std::size_t k = next++; k < end; k = next++) {
                const auto first = static_cast<std::int64_t>(items[k] % tiles) * runner.program().bound.tile_samples;
                parts[items[k]] = loss_of(run_tile(runner, thread, slots[k - begin], chunk, first), chunk, first);
            }
        });
        begin = end;
    }
}

LossSums CpuExecutable::loss_of(const float* output, const SampleChunk& chunk, std::int64_t first) const {
    const BoundRequest& bound = runner_.program().bound;
    Shape shape{bound.tile_samples};
    shape.insert(shape.end(), bound.output_sample_shape.begin(), bound.output_sample_shape.end());
    return host_loss(loss_, {DType::f32, shape, output}, chunk.target.view(), first,
                     std::min(bound.tile_samples, chunk.count - first), chunk.first);
}

void CpuExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    check_call(points, axes_, states_, chunk, fields_, loss_.kind == LossKind::output ? nullptr : &target_);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    const std::int64_t tile = runner_.program().bound.tile_samples;
    const auto tiles = static_cast<std::size_t>(tiles_of(chunk));
    const std::size_t group = runner_.group_size();
    std::vector<LossSums> parts;
    std::vector<std::size_t> suspects;
    std::mutex mutex;
    for (std::size_t begin = 0; begin < points.size(); begin += group) {
        const auto block = points.subspan(begin, std::min(group, points.size() - begin));
        runner_.materialize(block);
        parts.assign(block.size() * tiles, {});
        std::atomic<std::size_t> next{0};
        pool_.run([&](std::size_t thread) {
            for (std::size_t item = next++; item < parts.size(); item = next++) {
                const std::int64_t first = static_cast<std::int64_t>(item % tiles) * tile;
                const float* output = runner_.run(thread, item / tiles, chunk, first, false);
                if (all_finite({output, output_elements()})) {
                    parts[item] = loss_of(output, chunk, first);
                } else if (is_exact()) {
                    parts[item] = loss_of(runner_.run(thread, item / tiles, chunk, first, true), chunk, first);
                } else {
                    const std::scoped_lock lock(mutex);
                    suspects.push_back(item);
                }
            }
        });
        std::sort(suspects.begin(), suspects.end());
        run_plainly(block, chunk, suspects, parts);
        for (const std::size_t item : suspects)
            parts[item].overflowed = parts[item].counted;
        suspects.clear();
        for (std::size_t k = 0; k < block.size(); ++k) {
            sums[begin + k] = {};
            for (std::size_t t = 0; t < tiles; ++t)
                sums[begin + k] += parts[k * tiles + t];
        }
    }
}

Tensor CpuExecutable::forward(const Point& point, const SampleChunk& chunk) {
    check_call({&point, 1}, axes_, states_, chunk, fields_, nullptr);
    Shape shape{chunk.count};
    const Shape& sample_shape = runner_.program().bound.output_sample_shape;
    shape.insert(shape.end(), sample_shape.begin(), sample_shape.end());
    Tensor result(DType::f32, shape);
    const auto width = static_cast<std::size_t>(element_count(sample_shape));
    const std::int64_t tile = runner_.program().bound.tile_samples;
    const auto tiles = static_cast<std::size_t>(tiles_of(chunk));
    runner_.materialize({&point, 1});
    std::atomic<std::size_t> next{0};
    pool_.run([&](std::size_t thread) {
        for (std::size_t item = next++; item < tiles; item = next++) {
            const std::int64_t first = static_cast<std::int64_t>(item) * tile;
            const float* output = run_tile(runner_, thread, 0, chunk, first);
            const auto count = static_cast<std::size_t>(std::min(tile, chunk.count - first)) * width;
            std::copy_n(output, count, result.as<float>().data() + static_cast<std::size_t>(first) * width);
        }
    });
    return result;
}

std::vector<NamedTensor> CpuExecutable::trace(const Point& point, const SampleChunk& chunk) {
    check_call({&point, 1}, axes_, states_, chunk, fields_, nullptr);
    std::vector<NamedTensor> result;
    runner_.materialize({&point, 1});
    pool_.run([&](std::size_t thread) {
        if (thread != 0) return;
        static_cast<void>(run_tile(runner_, thread, 0, chunk, 0));
        const Graph& graph = runner_.program().bound.graph;
        for (const auto& [id, place] : runner_.program().kept) {
            Tensor value(DType::f32, graph.value(id).shape.value());
            std::memcpy(value.data(), runner_.value(thread, place), value.size_bytes());
            result.push_back({graph.value(id).name, std::move(value)});
        }
    });
    return result;
}

std::optional<PassTimes> CpuExecutable::measure_operations(const SampleChunk& chunk) {
    const Point origin{std::vector<double>(axes_, 0.0)};
    check_call({&origin, 1}, axes_, states_, chunk, fields_, loss_.kind == LossKind::output ? nullptr : &target_);
    const Program& program = runner_.program();
    PassTimes result{.points = 1, .samples = program.bound.tile_samples, .weights = {}, .tile = {}};
    if (chunk.count == 0) return result;
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const auto since = [&](auto begin) { return std::chrono::duration<double>(now() - begin).count(); };
    // The first time memory is touched, and code compiled.
    runner_.materialize({&origin, 1});
    const auto begin = now();
    runner_.materialize({&origin, 1});
    result.weights.push_back({"weights", "host materializer", since(begin)});

    const std::size_t operations = program.operations.size();
    std::vector<std::vector<double>> seconds(pool_.size(), std::vector<double>(operations + 2, 0.0));
    std::vector<int> runs(pool_.size(), 0);
    pool_.run([&](std::size_t thread) {
        std::vector<double>& own = seconds[thread];
        runner_.run_timed(thread, 0, chunk, 0, own);
        own.assign(own.size(), 0.0);
        for (const auto start = now(); runs[thread] == 0 || since(start) < kMeasuredSeconds; ++runs[thread]) {
            runner_.run_timed(thread, 0, chunk, 0, own);
            const auto loss_begin = now();
            static_cast<void>(loss_of(static_cast<const float*>(runner_.value(thread, program.output)), chunk, 0));
            own.back() += since(loss_begin);
        }
    });
    const auto mean = [&](std::size_t index) {
        double sum = 0.0;
        for (std::size_t thread = 0; thread < seconds.size(); ++thread)
            sum += seconds[thread][index] / runs[thread];
        return sum / static_cast<double>(seconds.size());
    };
    result.tile.push_back({"samples", "host copy", mean(0)});
    for (std::size_t k = 0; k < operations; ++k)
        result.tile.push_back({program.operation_names[k], program.operations[k]->implementation(), mean(k + 1)});
    result.tile.push_back({"loss", "host loss", mean(operations + 1)});
    return result;
}

void CpuExecutable::estimate_statistics(std::span<const Point> points, const SampleChunk& chunk,
                                        std::int64_t batch_samples, std::span<StatisticSums> sums) {
    if (!estimator_) return Executable::estimate_statistics(points, chunk, batch_samples, sums);
    check_call(points, axes_, states_, chunk, fields_, nullptr);
    if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
    estimator_->estimate(points, chunk, batch_samples, sums);
}

std::vector<double> CpuExecutable::precision_error(std::span<const Point> points, const SampleChunk& chunk) {
    if (is_exact()) return {};
    std::vector<LossSums> own(points.size());
    evaluate(points, chunk, own);
    const auto tiles = static_cast<std::size_t>(tiles_of(chunk));
    std::vector<LossSums> parts(points.size() * tiles);
    std::vector<std::size_t> items(parts.size());
    std::iota(items.begin(), items.end(), std::size_t{0});
    run_plainly(points, chunk, items, parts);
    std::vector<double> result;
    for (std::size_t k = 0; k < points.size(); ++k) {
        LossSums plain;
        for (std::size_t t = 0; t < tiles; ++t)
            plain += parts[k * tiles + t];
        result.push_back(loss_difference(own[k].loss_sum, plain.loss_sum));
    }
    return result;
}

std::string CpuExecutable::plan_json() const {
    return plan_record(runner_.program(), estimator_ ? estimator_->programs() : std::vector<const Program*>{}, passes_);
}

std::int64_t CpuExecutable::memory_bytes() const {
    return static_cast<std::int64_t>(state_->size_bytes() + runner_.memory_bytes() +
                                     (plain_ == nullptr ? 0 : plain_->memory_bytes()) +
                                     (estimator_ ? estimator_->memory_bytes() : 0));
}

}  // namespace lossmap::cpu
