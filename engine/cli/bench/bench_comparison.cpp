#include "cli/bench/bench_comparison.hpp"

#include <algorithm>
#include <cstdint>

#include "cli/bench/median.hpp"
#include "cli/run/progress_display.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"

namespace lossmap {
namespace {

constexpr std::size_t kResamples = 4000;
constexpr double kTail = 0.025;

/// Context that results depend on; the version is what is compared.
constexpr const char* kContext[] = {"host_name", "num_cpus", "library_build_type", "backend", "device", "libraries",
                                    "threads",   "scenario"};

/// Rates over what their machine had at that time, where both records know it: a machine that is busy, or another one,
/// is slower in both.
std::vector<double> held_against(const BenchSeries& series, bool at_hand) {
    std::vector<double> values = series.rates;
    if (!at_hand) return values;
    for (std::size_t k = 0; k < values.size(); ++k)
        values[k] /= series.at_hand[k];
    return values;
}

/// Median of as many values drawn from these, with replacement.
double resampled_median(const std::vector<double>& values, std::uint64_t stream, std::uint64_t resample) {
    std::vector<double> drawn(values.size());
    for (std::size_t k = 0; k < drawn.size(); ++k)
        drawn[k] = values[random_bits(0, stream, resample * values.size() + k) % values.size()];
    return median(std::move(drawn));
}

/// Of the ratio of any value of one to any of the other.
Interval extremes(const std::vector<double>& base, const std::vector<double>& changed) {
    const auto [base_low, base_high] = std::minmax_element(base.begin(), base.end());
    const auto [low, high] = std::minmax_element(changed.begin(), changed.end());
    return {*low / *base_high, *high / *base_low};
}

std::optional<Interval> interval_of(const std::vector<double>& base, const std::vector<double>& changed) {
    const std::size_t fewest = std::min(base.size(), changed.size());
    if (fewest < 2) return {};
    if (fewest < BenchPair::kFewest) return extremes(base, changed);
    std::vector<double> ratios(kResamples);
    for (std::size_t k = 0; k < kResamples; ++k)
        ratios[k] = resampled_median(changed, 1, k) / resampled_median(base, 2, k);
    std::sort(ratios.begin(), ratios.end());
    const auto tail = static_cast<std::size_t>(kTail * static_cast<double>(kResamples));
    return Interval{ratios[tail], ratios[kResamples - 1 - tail]};
}

BenchPair compare_series(const BenchSeries& base, const BenchSeries& changed, double threshold) {
    const bool at_hand = !base.at_hand.empty() && !changed.at_hand.empty();
    const std::vector<double> before = held_against(base, at_hand), now = held_against(changed, at_hand);
    BenchPair pair;
    pair.name = base.name;
    pair.base_rate = median(base.rates);
    pair.new_rate = median(changed.rates);
    pair.ratio = median(now) / median(before);
    pair.interval = interval_of(before, now);
    pair.slower = pair.ratio < 1.0 - threshold && (!pair.interval || pair.interval->high < 1.0);
    return pair;
}

void warn_of_context(const BenchRecord& base, const BenchRecord& changed, std::vector<std::string>& warnings) {
    for (const char* key : kContext) {
        const auto value = [key](const BenchRecord& record) {
            const auto found = record.context.find(key);
            return found == record.context.end() ? std::string("nothing") : found->second;
        };
        if (value(base) != value(changed))
            warnings.push_back(fmt::format("context differs: {} is {} in {}, {} in {}", key, value(base), base.source,
                                           value(changed), changed.source));
    }
}

void warn_of_missing(const BenchRecord& from, const BenchRecord& in, std::vector<std::string>& warnings) {
    for (const BenchSeries& series : from.series) {
        if (in.find(series.name) == nullptr)
            warnings.push_back(fmt::format("{} is in {} alone", series.name, from.source));
    }
}

}  // namespace

bool BenchComparison::has_slower() const {
    return std::any_of(pairs.begin(), pairs.end(), [](const BenchPair& pair) { return pair.slower; });
}

void BenchComparison::print(std::ostream& out) const {
    std::size_t width = 9;
    for (const BenchPair& pair : pairs)
        width = std::max(width, pair.name.size());
    out << fmt::format("{:<{}}  {:>9}  {:>9}  {:>6}  {:>16}\n", "benchmark", width, "base", "new", "ratio", "interval");
    for (const BenchPair& pair : pairs) {
        const std::string interval =
            pair.interval ? fmt::format("{:.3f} to {:.3f}", pair.interval->low, pair.interval->high) : "unknown";
        out << fmt::format("{:<{}}  {:>9}  {:>9}  {:>6.3f}  {:>16}{}\n", pair.name, width, format_rate(pair.base_rate),
                           format_rate(pair.new_rate), pair.ratio, interval, pair.slower ? "  slower" : "");
    }
}

BenchComparison compare_records(const BenchRecord& base, const BenchRecord& changed, double threshold) {
    BenchComparison result;
    warn_of_context(base, changed, result.warnings);
    warn_of_missing(base, changed, result.warnings);
    warn_of_missing(changed, base, result.warnings);
    bool alone = false, unknown = false;
    for (const BenchSeries& series : base.series) {
        const BenchSeries* other = changed.find(series.name);
        if (other == nullptr) continue;
        result.pairs.push_back(compare_series(series, *other, threshold));
        alone = alone || !result.pairs.back().interval;
        unknown = unknown || series.at_hand.empty() || other->at_hand.empty();
    }
    if (result.pairs.empty()) throw InputError("{} and {} have no benchmark in common", base.source, changed.source);
    if (alone) result.warnings.emplace_back("one repetition alone: noise is unknown, the threshold decides");
    if (unknown)
        result.warnings.emplace_back(
            "some rates come without what the machine had at that time: how busy it was is not allowed for");
    return result;
}

}  // namespace lossmap
