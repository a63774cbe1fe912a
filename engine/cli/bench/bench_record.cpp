#include "cli/bench/bench_record.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <thread>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "cli/bench/median.hpp"
#include "cli/config/json_document.hpp"
#include "cli/run/host_name.hpp"
#include "cli/run/prepared_run.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

using Json = nlohmann::ordered_json;

/// What rates are compared with.
constexpr const char* kAtHand = "at_hand_flops_per_second";

std::string local_time() {
    return fmt::format("{:%FT%T%z}",
                       fmt::localtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

Json context_json(const std::vector<BenchResult>& results, const BenchMachine& machine) {
    double load[3] = {};
    const int loads = ::getloadavg(load, 3);
    Json ceilings = Json::object();
    for (const BenchResult& result : results) {
        if (result.ceiling.empty()) continue;
        std::vector<double> measured;
        for (const BenchRepetition& repetition : result.repetitions)
            measured.push_back(repetition.ceiling_flops_per_second);
        ceilings[result.ceiling] = median(measured);
    }
    Json context{{"date", local_time()},
                 {"host_name", host_name()},
                 {"executable", "lossmap"},
                 {"num_cpus", std::thread::hardware_concurrency()},
                 {"load_avg", std::vector<double>(load, load + std::max(loads, 0))},
#ifdef NDEBUG
                 {"library_build_type", "release"},
#else
                 {"library_build_type", "debug"},
#endif
                 {"lossmap_version", program_version()},
                 {"backend", machine.backend},
                 {"device", machine.device},
                 {"libraries", machine.libraries},
                 {"threads", machine.threads},
                 {"scenario", machine.offline ? "offline" : "resident"},
                 {"ceilings", std::move(ceilings)}};
    return context;
}

/// Numbers of one repetition, by the names of their members; times in milliseconds an iteration.
std::vector<std::pair<const char*, double>> numbers_of(const BenchResult& result, const BenchRepetition& repetition) {
    const auto iterations = static_cast<double>(repetition.iterations);
    std::vector<std::pair<const char*, double>> numbers{{"real_time", 1e3 * repetition.seconds / iterations},
                                                        {"cpu_time", 1e3 * repetition.cpu_seconds / iterations},
                                                        {"items_per_second", result.evaluations_per_second(repetition)},
                                                        {"flops_per_second", result.flops_per_second(repetition)}};
    if (const auto percent = result.percent_of_ceiling(repetition)) {
        numbers.emplace_back("percent_of_ceiling", *percent);
        numbers.emplace_back("ceiling_flops_per_second", repetition.ceiling_flops_per_second);
        numbers.emplace_back(kAtHand, repetition.at_hand_flops_per_second);
    }
    numbers.emplace_back("peak_bytes", static_cast<double>(result.peak_bytes));
    return numbers;
}

Json entry_json(const BenchResult& result, std::size_t family, const BenchMachine& machine) {
    return {{"name", result.name},
            {"family_index", family},
            {"per_family_instance_index", 0},
            {"run_name", result.name},
            {"run_type", "iteration"},
            {"repetitions", result.repetitions.size()},
            {"threads", std::max(machine.threads, 1)}};
}

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Of a sample, as Google Benchmark has it.
double deviation(const std::vector<double>& values) {
    const double middle = mean(values);
    double sum = 0.0;
    for (const double value : values)
        sum += (value - middle) * (value - middle);
    return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

void add_entries(const BenchResult& result, std::size_t family, const BenchMachine& machine, Json& entries) {
    std::vector<std::vector<double>> columns;
    for (std::size_t k = 0; k < result.repetitions.size(); ++k) {
        Json entry = entry_json(result, family, machine);
        entry["repetition_index"] = k;
        entry["iterations"] = result.repetitions[k].iterations;
        const auto numbers = numbers_of(result, result.repetitions[k]);
        columns.resize(numbers.size());
        for (std::size_t n = 0; n < numbers.size(); ++n) {
            entry[numbers[n].first] = numbers[n].second;
            columns[n].push_back(numbers[n].second);
        }
        entry["time_unit"] = "ms";
        entries.push_back(std::move(entry));
    }
    if (result.repetitions.size() < 2) return;
    const auto names = numbers_of(result, result.repetitions.front());
    const std::pair<const char*, std::function<double(const std::vector<double>&)>> aggregates[] = {
        {"mean", mean},
        {"median", [](const std::vector<double>& values) { return median(values); }},
        {"stddev", deviation},
        {"cv", [](const std::vector<double>& values) { return deviation(values) / mean(values); }}};
    for (const auto& [aggregate, of] : aggregates) {
        Json entry = entry_json(result, family, machine);
        entry["name"] = result.name + "_" + aggregate;
        entry["run_type"] = "aggregate";
        entry["aggregate_name"] = aggregate;
        entry["aggregate_unit"] = std::string(aggregate) == "cv" ? "percentage" : "time";
        entry["iterations"] = result.repetitions.size();
        for (std::size_t n = 0; n < names.size(); ++n)
            entry[names[n].first] = of(columns[n]);
        entry["time_unit"] = "ms";
        entries.push_back(std::move(entry));
    }
}

/// A member that is a number above 0; 0 where there is none.
double positive(const Json& entry, const char* name) {
    const auto member = entry.find(name);
    if (member == entry.end() || !member->is_number()) return 0.0;
    const double value = member->get<double>();
    return std::isfinite(value) && value > 0.0 ? value : 0.0;
}

std::string text_of(const Json& entry, const char* name) {
    const auto member = entry.find(name);
    return member != entry.end() && member->is_string() ? member->get<std::string>() : std::string();
}

void add_repetition(const Json& entry, BenchRecord& record) {
    const double rate = positive(entry, "items_per_second");
    if (rate == 0.0 || text_of(entry, "run_type") == "aggregate") return;
    std::string name = text_of(entry, "run_name");
    if (name.empty()) name = text_of(entry, "name");
    auto series = std::find_if(record.series.begin(), record.series.end(),
                               [&](const BenchSeries& one) { return one.name == name; });
    if (series == record.series.end()) series = record.series.insert(series, BenchSeries{name, {}, {}});
    series->rates.push_back(rate);
    const double at_hand = positive(entry, kAtHand);
    if (at_hand > 0.0) series->at_hand.push_back(at_hand);
}

}  // namespace

const BenchSeries* BenchRecord::find(const std::string& name) const {
    const auto found =
        std::find_if(series.begin(), series.end(), [&](const BenchSeries& one) { return one.name == name; });
    return found == series.end() ? nullptr : &*found;
}

Json bench_json(const std::vector<BenchResult>& results, const BenchMachine& machine) {
    Json entries = Json::array();
    for (std::size_t k = 0; k < results.size(); ++k)
        add_entries(results[k], k, machine, entries);
    return {{"context", context_json(results, machine)}, {"benchmarks", std::move(entries)}};
}

BenchRecord record_of(const Json& document, const std::string& source) {
    BenchRecord record;
    record.source = source;
    if (!document.is_object() || !document.contains("benchmarks") || !document["benchmarks"].is_array())
        throw InputError("{}: is no benchmark result: expected an object with a list 'benchmarks'", source);
    if (const auto context = document.find("context"); context != document.end() && context->is_object()) {
        for (const auto& [key, value] : context->items())
            record.context[key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
    for (const Json& entry : document["benchmarks"]) {
        if (entry.is_object()) add_repetition(entry, record);
    }
    if (record.series.empty()) throw InputError("{}: no benchmark has 'items_per_second'", source);
    for (BenchSeries& series : record.series) {
        // Only some were measured: none can be held against it.
        if (series.at_hand.size() != series.rates.size()) series.at_hand.clear();
    }
    return record;
}

BenchRecord load_record(const std::filesystem::path& file) { return record_of(read_json(file), file.string()); }

}  // namespace lossmap
