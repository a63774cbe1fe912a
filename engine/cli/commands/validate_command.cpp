#include <algorithm>
#include <chrono>
#include <iostream>

#include <fmt/ranges.h>

#include "cli/commands/commands.hpp"
#include "cli/commands/configured.hpp"
#include "cli/run/experiments/experiment_steps.hpp"
#include "cli/run/prepared_run.hpp"
#include "cli/run/progress_display.hpp"
#include "cli/run/sweep/origin_run.hpp"
#include "core/error.hpp"
#include "data/input_bytes.hpp"

namespace lossmap {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kProbeSamples = 256;
constexpr double kProbeSeconds = 0.5;

/// Evaluations a second, measured at the origin on the first samples: once to warm up, then for half a second.
double measure_rate(PreparedRun& run) {
    const Dataset& data = *run.data.front();
    const SampleChunk chunk = data.read(0, std::min({kProbeSamples, run.chunk_samples, data.size()}));
    Point origin{std::vector<double>(run.points.front().coordinates.size(), 0.0)};
    // Statistics of any value: they are estimated in passes like these, of which there may be many for one point.
    const std::vector<float> states(static_cast<std::size_t>(run.space.states_size()), 1.0F);
    if (run.statistics) origin.states = states;
    LossSums sums;
    run.executable->evaluate({&origin, 1}, chunk, {&sums, 1});
    const Clock::time_point start = Clock::now();
    std::int64_t evaluations = 0;
    double seconds = 0.0;
    while (seconds < kProbeSeconds) {
        run.executable->evaluate({&origin, 1}, chunk, {&sums, 1});
        evaluations += chunk.count;
        seconds = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return static_cast<double>(evaluations) / seconds;
}

std::string mebibytes(double bytes) { return fmt::format("{:.0f} MiB", bytes / (1024.0 * 1024.0)); }

/// What the run will hold: the executable, origin and directions, the chunks of samples that are kept, the results.
double needed_bytes(const PreparedRun& run) {
    const SchedulerOptions defaults;
    double samples = 0.0;
    for (const auto& split : run.data)
        samples += static_cast<double>(input_bytes(split->inputs())) * static_cast<double>(split->size());
    double directions = 0.0;
    for (const Direction& axis : run.axes)
        directions += 4.0 * static_cast<double>(axis.weights.size() + axis.states.size());
    constexpr double kBytesOfAPoint = 6 * 8 + 24 + 56;
    return static_cast<double>(run.executable->memory_bytes()) + directions +
           std::min(samples, static_cast<double>(defaults.cache_bytes)) +
           kBytesOfAPoint * static_cast<double>(run.points.size() * run.data.size());
}

/// Of all devices that the run uses together.
double available_bytes(const Backend& backend) {
    double bytes = 0.0;
    for (const DeviceInfo& device : backend.devices())
        bytes += static_cast<double>(device.memory_bytes);
    return bytes;
}

/// Throws InputError when the device has less than the run needs.
void require_memory(const PreparedRun& run) {
    const double needed = needed_bytes(run);
    const double available = available_bytes(*run.backend);
    if (available > 0.0 && needed > available) {
        throw InputError("{}: needs about {} of memory, the device has {}", run.config.file.string(), mebibytes(needed),
                         mebibytes(available));
    }
}

/// What the evaluations of networks on data will take. Throws InputError when the device has too little memory.
void print_work(PreparedRun& run, std::ostream& out) {
    const Config& config = run.config;
    const double macs = static_cast<double>(run.executable->macs_per_sample());
    const auto evaluations = static_cast<double>(run.evaluations() + run.estimations());
    for (std::size_t k = 0; k < run.data.size(); ++k)
        out << fmt::format("  {:<13} {}\n", config.splits[k], run.data[k]->describe());
    out << fmt::format("  chunk         {} samples\n", run.chunk_samples);
    out << fmt::format("  evaluations   {} (points x samples{})\n", run.evaluations(),
                       config.refine || config.grow_from ? ", at most" : "");
    if (run.statistics) {
        out << fmt::format("  statistics    {} (points x samples), of batch norms\n", run.estimations());
    }
    out << fmt::format("  work          {:.4g} multiply-adds a sample, {:.4g} in all\n", macs, macs * evaluations);
    const double needed = needed_bytes(run);
    const double available = available_bytes(*run.backend);
    out << fmt::format("  memory        about {} of {}\n", mebibytes(needed), mebibytes(available));
    require_memory(run);
    const double rate = measure_rate(run);
    out << fmt::format("  estimate      {} at {} evaluations/s, measured at the origin on {}\n",
                       format_duration(evaluations / rate), format_rate(rate), run.device);
}

void print_summary(PreparedRun& run, std::ostream& out) {
    const Config& config = run.config;
    out << fmt::format("{}: valid\n", config.file.string());
    out << fmt::format("  experiment    {}, {}\n", name_of(config.experiment),
                       steps_of(config.experiment).size_of(config));
    if (config.shard) {
        out << fmt::format("  share         {}: {} of {} points\n", config.shard->name(), run.own_points(),
                           run.points.size());
    }
    if (run.executable) print_work(run, out);
    out << fmt::format("  identity      {}\n", run.identity.whole());
}

/// What a sweep takes in all.
struct SweepWork {
    std::int64_t evaluations = 0;
    double seconds = 0.0;

    void add(PreparedRun& run) {
        if (!run.executable) return;  // nothing is evaluated
        require_memory(run);
        evaluations += run.evaluations();
        seconds += static_cast<double>(run.evaluations()) / measure_rate(run);
    }
};

void print_sweep(const Sweep& sweep, const RunArguments& arguments, std::ostream& out) {
    SweepWork all;
    std::string lines;
    for (std::size_t k = 0; k < sweep.combinations.size(); ++k) {
        const Combination& combination = sweep.combinations[k];
        with_context(sweep.describe(k), [&] {
            RunLog log(arguments.log_level);
            SweepWork work;
            PreparedRun run = prepare_run(combination.config, arguments.threads, log);
            work.add(run);
            if (const auto config = origin_config(combination.config, k)) {
                PreparedRun origin = prepare_run(*config, arguments.threads, log);
                work.add(origin);
            }
            lines += fmt::format("  {:<13} {}: {}, {} evaluations, {}\n", combination.folder.substr(0, 3),
                                 combination.title, steps_of(run.config.experiment).size_of(run.config),
                                 work.evaluations, format_duration(work.seconds));
            all.evaluations += work.evaluations;
            all.seconds += work.seconds;
        });
    }
    std::vector<std::string> axes;
    for (const SweepAxis& axis : sweep.axes)
        axes.push_back(fmt::format("{} {}", axis.labels.size(), axis.name));
    out << fmt::format("{}: valid\n", sweep.file.string());
    out << fmt::format("  experiment    {}, sweep\n", name_of(sweep.combinations.front().config.experiment));
    out << fmt::format("  combinations  {} ({})\n", sweep.combinations.size(), fmt::join(axes, " x "));
    out << lines;
    out << fmt::format("  evaluations   {} (points x samples), origins included\n", all.evaluations);
    out << fmt::format("  estimate      {}, measured at the origins\n", format_duration(all.seconds));
}

void validate(const std::filesystem::path& file, const RunArguments& arguments, std::ostream& out) {
    if (const std::optional<Sweep> sweep = load_configured_sweep(file, arguments)) {
        print_sweep(*sweep, arguments, out);
        return;
    }
    RunLog log(arguments.log_level);
    PreparedRun run = prepare_run(load_configured(file, arguments), arguments.threads, log);
    print_summary(run, out);
}

}  // namespace

int validate_command(const ValidateArguments& arguments, std::ostream& out) {
    int status = 0;
    for (const std::filesystem::path& file : arguments.configs) {
        try {
            validate(file, arguments.shared, out);
        } catch (const Error& error) {
            print_error(error);
            status = std::max(status, exit_status_of(error));
        }
    }
    return status;
}

}  // namespace lossmap
