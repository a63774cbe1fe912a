#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/bench/bench_record.hpp"

namespace lossmap {

struct Interval {
    double low = 0.0;
    double high = 0.0;
};

/// A benchmark that both records have.
struct BenchPair {
    std::string name;
    double base_rate = 0.0;  ///< median, evaluations a second
    double new_rate = 0.0;
    double ratio = 0.0;                ///< of medians, new over base: of rates over what the machine had, where known
    std::optional<Interval> interval;  ///< of the ratio; nothing of one repetition alone
    bool slower = false;               ///< beyond threshold and noise

    /// Repetitions for an interval of 95 %.
    static constexpr std::size_t kFewest = 5;
};

/// What became of the benchmarks of one record in another one.
struct BenchComparison {
    std::vector<BenchPair> pairs;
    std::vector<std::string> warnings;

    [[nodiscard]] bool has_slower() const;
    void print(std::ostream& out) const;
};

/// A benchmark is slower where its ratio is below 1 - threshold and the interval, if there is one, below 1. Intervals
/// are of the percentile bootstrap (Efron and Tibshirani 1993, chapter 13): medians of repetitions drawn anew from
/// both records; the same for the same numbers. With fewer than kFewest repetitions they reach from the least to the
/// greatest ratio of any two. Throws InputError where no benchmark is in both.
[[nodiscard]] BenchComparison compare_records(const BenchRecord& base, const BenchRecord& changed, double threshold);

}  // namespace lossmap
