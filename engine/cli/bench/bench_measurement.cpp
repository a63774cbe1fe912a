#include "cli/bench/bench_measurement.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <span>
#include <vector>

#include "cli/run/prepared_run.hpp"
#include "core/error.hpp"
#include "data/input_bytes.hpp"

namespace lossmap {
namespace {

constexpr double kCeilingSeconds = 0.05;
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
/// Of samples, which are made beforehand: making them must not be measured.
constexpr double kMostBytes = 8.0 * kGibibyte;

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds_now() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// All points over all samples, in the order in which a run takes them.
class Iteration {
public:
    Iteration(PreparedRun& run, const InterruptGuard& interrupt) : run_(run), interrupt_(interrupt) {
        const Dataset& data = *run.data.front();
        const double bytes = static_cast<double>(input_bytes(data.inputs())) * static_cast<double>(data.size());
        if (bytes > kMostBytes)
            throw InputError("{}: {} samples take {:.1f} GiB of memory, at most {:.0f} are used for them",
                             run.config.file.string(), data.size(), bytes / kGibibyte, kMostBytes / kGibibyte);
        for (std::int64_t first = 0; first < data.size(); first += run.chunk_samples)
            chunks_.push_back(data.read(first, std::min(run.chunk_samples, data.size() - first)));
        sums_.resize(run.points.size());
    }

    void operator()() {
        const std::span<const Point> points(run_.points);
        const std::span<LossSums> sums(sums_);
        const auto block = static_cast<std::size_t>(run_.points_per_block);
        for (const SampleChunk& chunk : chunks_) {
            for (std::size_t first = 0; first < points.size(); first += block) {
                const std::size_t count = std::min(block, points.size() - first);
                run_.executable->evaluate(points.subspan(first, count), chunk, sums.subspan(first, count));
                interrupt_.check();
            }
        }
    }

    /// What the device keeps of the samples is no longer theirs: the next iteration brings them from the host's memory.
    void forget_residents() {
        for (SampleChunk& chunk : chunks_)
            chunk.identity = new_identity();
    }

    [[nodiscard]] const SampleChunk& first_chunk() const { return chunks_.front(); }

private:
    PreparedRun& run_;
    const InterruptGuard& interrupt_;
    std::vector<SampleChunk> chunks_;
    std::vector<LossSums> sums_;
};

}  // namespace

BenchResult measure_bench(const BenchCase& bench, const BenchOptions& options, RunLog& log,
                          const InterruptGuard& interrupt, BenchMachine& machine) {
    PreparedRun run =
        prepare_run(config_of(bench, options.device, options.plan_cache), options.threads, log, &interrupt.flag());
    machine = {run.backend->name(), run.device, run.backend->library_versions(), options.threads, options.offline};
    BenchResult result;
    result.name = bench.name();
    result.evaluations = run.evaluations();
    result.flops_per_evaluation = 2.0 * static_cast<double>(run.executable->macs_per_sample());
    result.chunk_samples = run.chunk_samples;
    Iteration iterate(run, interrupt);
    // What is warmed up by the first one may be recorded by the second one.
    iterate();
    iterate();
    const auto measure = [&] {
        return run.backend->measure_ceiling(bench.precision, options.threads, kCeilingSeconds).value_or(Ceiling{});
    };
    Ceiling before = measure();
    for (int k = 0; k < options.repeat; ++k) {
        BenchRepetition repetition;
        const double cpu = cpu_seconds_now();
        const double begin = seconds_now();
        do {
            if (options.offline) iterate.forget_residents();
            iterate();
            ++repetition.iterations;
            repetition.seconds = seconds_now() - begin;
        } while (repetition.seconds < options.min_seconds);
        repetition.cpu_seconds = cpu_seconds_now() - cpu;
        const Ceiling after = measure();
        repetition.ceiling_flops_per_second = std::max(before.flops_per_second, after.flops_per_second);
        repetition.at_hand_flops_per_second = 0.5 * (before.at_hand + after.at_hand);
        before = after;
        result.repetitions.push_back(repetition);
    }
    result.ceiling = before.what;
    result.peak_bytes = run.executable->memory_bytes();
    if (options.layers) result.layers = run.executable->measure_operations(iterate.first_chunk());
    return result;
}

}  // namespace lossmap
