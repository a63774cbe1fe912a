#include <algorithm>
#include <ostream>
#include <set>

#include <nlohmann/json.hpp>

#include "cli/bench/bench_history.hpp"
#include "cli/bench/bench_measurement.hpp"
#include "cli/bench/bench_record.hpp"
#include "cli/bench/median.hpp"
#include "cli/commands/commands.hpp"
#include "cli/config/precision_names.hpp"
#include "cli/run/pass_times_table.hpp"
#include "cli/run/progress_display.hpp"
#include "core/error.hpp"
#include "io/atomic_file.hpp"

namespace lossmap {
namespace {

std::vector<BenchCase> cases_of(const BenchArguments& arguments) {
    if (arguments.models.empty() && arguments.suite.empty())
        throw InputError("bench: expected models, or --suite with a file that names some; see lossmap bench --help");
    BenchCase bench;
    bench.points = arguments.points;
    bench.samples = arguments.samples;
    for (const auto& [name, precision] : kPrecisionNames)
        if (name == arguments.precision) bench.precision = precision;
    std::vector<BenchCase> cases;
    for (const std::filesystem::path& model : arguments.models) {
        cases.push_back(bench);
        cases.back().model = model;
    }
    if (!arguments.suite.empty()) {
        for (BenchCase& one : load_suite(arguments.suite, bench))
            cases.push_back(std::move(one));
    }
    require_different_names(cases);
    return cases;
}

std::size_t widest(const std::vector<BenchCase>& cases) {
    std::size_t width = 9;
    for (const BenchCase& bench : cases)
        width = std::max(width, bench.name().size());
    return width;
}

void print_head(std::size_t width, std::ostream& out) {
    out << fmt::format("{:<{}}  {:>13}  {:>8}  {:>9}  {:>10}  {:>9}\n", "benchmark", width, "evaluations/s", "spread",
                       "FLOP/s", "of ceiling", "memory");
}

/// The median repetition; how far the fastest and the slowest are apart.
void print_result(const BenchResult& result, std::size_t width, std::ostream& out) {
    std::vector<double> rates, percents;
    for (const BenchRepetition& repetition : result.repetitions) {
        rates.push_back(result.evaluations_per_second(repetition));
        if (const auto percent = result.percent_of_ceiling(repetition)) percents.push_back(*percent);
    }
    const double rate = median(rates);
    const auto [least, most] = std::minmax_element(rates.begin(), rates.end());
    out << fmt::format("{:<{}}  {:>13}  {:>6.1f} %  {:>9}  {:>10}  {:>5.0f} MiB\n", result.name, width,
                       format_rate(rate), 100.0 * (*most - *least) / rate,
                       format_rate(result.flops_per_evaluation * rate),
                       percents.empty() ? "unknown" : fmt::format("{:.1f} %", median(percents)),
                       static_cast<double>(result.peak_bytes) / (1024.0 * 1024.0));
    if (result.layers) print_pass_times(*result.layers, result.chunk_samples, out);
    out.flush();
}

/// Measures and prints one after the other.
std::vector<BenchResult> measure_all(const std::vector<BenchCase>& cases, const BenchArguments& arguments,
                                     BenchMachine& machine, std::ostream& out) {
    const InterruptGuard interrupt;
    RunLog log(arguments.log_level);
    const BenchOptions options{arguments.device,      arguments.plan_cache, arguments.threads, arguments.repeat,
                               arguments.min_seconds, arguments.layers,     arguments.offline};
    const std::size_t width = widest(cases);
    std::vector<BenchResult> results;
    try {
        for (const BenchCase& bench : cases) {
            results.push_back(measure_bench(bench, options, log, interrupt, machine));
            if (results.size() == 1) print_head(width, out);
            print_result(results.back(), width, out);
        }
    } catch (const Interrupted&) {
        throw Interrupted("interrupted; {} of {} benchmarks are measured, and no file was written", results.size(),
                          cases.size());
    }
    return results;
}

}  // namespace

int bench_command(const BenchArguments& arguments, std::ostream& out) {
    if (arguments.label.empty() != arguments.history.empty())
        throw InputError("bench: --history and --label belong together: results are added to the file under the label");
    const std::vector<BenchCase> cases = cases_of(arguments);
    BenchMachine machine;
    const std::vector<BenchResult> results = measure_all(cases, arguments, machine, out);
    std::set<std::string> ceilings;
    for (const BenchResult& result : results) {
        if (!result.ceiling.empty() && ceilings.insert(result.ceiling).second)
            out << fmt::format("ceiling: {}; on {}\n", result.ceiling, machine.device);
    }
    const nlohmann::ordered_json document = bench_json(results, machine);
    if (!arguments.json.empty()) write_file_atomically(arguments.json, document.dump(2) + "\n");
    if (!arguments.history.empty()) add_to_history(arguments.history, arguments.label, record_of(document, "this run"));
    return 0;
}

}  // namespace lossmap
