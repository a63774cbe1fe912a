#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/bench/bench_result.hpp"

namespace lossmap {

/// Rates of one benchmark, one a repetition.
struct BenchSeries {
    std::string name;
    std::vector<double> rates;    ///< evaluations a second
    std::vector<double> at_hand;  ///< FLOP/s that the machine had then, as many; empty where they were not measured
};

/// What is compared: the rates of a set of benchmarks, and where they come from.
struct BenchRecord {
    std::string source;  ///< for messages: "base.json", "label 'main' in history.sqlite"
    std::map<std::string, std::string> context;
    std::vector<BenchSeries> series;

    /// nullptr where there is none of that name.
    [[nodiscard]] const BenchSeries* find(const std::string& name) const;
};

/// Results in the layout of Google Benchmark (docs/user_guide.md there, "Output Formats"): an entry a repetition, then
/// mean, median, standard deviation and coefficient of variation where there are several. `items_per_second` is
/// evaluations (points x samples) a second; times are of an iteration.
[[nodiscard]] nlohmann::ordered_json bench_json(const std::vector<BenchResult>& results, const BenchMachine& machine);

/// Takes rates out of such a document, lossmap's or another program's. Throws InputError, "<file>: ..", where it is
/// none, or where no entry has `items_per_second`.
[[nodiscard]] BenchRecord record_of(const nlohmann::ordered_json& document, const std::string& source);

/// Reads and takes it apart. Throws InputError.
[[nodiscard]] BenchRecord load_record(const std::filesystem::path& file);

}  // namespace lossmap
