#include "cli/run/pass_times_table.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lossmap {

double seconds_of(const std::vector<OperationTime>& operations) {
    double sum = 0.0;
    for (const OperationTime& operation : operations)
        sum += operation.seconds;
    return sum;
}

std::int64_t tiles_of(std::int64_t samples, const PassTimes& times) {
    return (samples + times.samples - 1) / times.samples;
}

void print_pass_times(const PassTimes& times, std::int64_t chunk_samples, std::ostream& out) {
    const auto tiles = static_cast<double>(tiles_of(chunk_samples, times));
    const double whole = std::max(seconds_of(times.weights) + tiles * seconds_of(times.tile), 1e-30);
    out << fmt::format("passes of {} x {} samples, {} samples a chunk\n",
                       times.points == 1 ? "1 point" : fmt::format("{} points", times.points), times.samples,
                       chunk_samples);
    std::size_t width = 9;
    for (const auto* operations : {&times.weights, &times.tile}) {
        for (const OperationTime& operation : *operations)
            width = std::max(width, operation.name.size());
    }
    out << fmt::format("  {:>7}  {:>10}  {:<{}}  computed by\n", "share", "us", "operation", width);
    std::map<std::string, double> shares;
    const auto print_rows = [&](const std::vector<OperationTime>& operations, double times_a_chunk) {
        for (const OperationTime& operation : operations) {
            const double share = operation.seconds * times_a_chunk / whole;
            shares[operation.implementation] += share;
            out << fmt::format("  {:>5.1f} %  {:>10.1f}  {:<{}}  {}\n", 100.0 * share, 1e6 * operation.seconds,
                               operation.name, width, operation.implementation);
        }
    };
    print_rows(times.weights, 1.0);
    print_rows(times.tile, tiles);
    std::vector<std::pair<double, std::string>> sorted;
    for (const auto& [implementation, share] : shares)
        sorted.emplace_back(share, implementation);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    out << "  in all\n";
    for (const auto& [share, implementation] : sorted)
        out << fmt::format("  {:>5.1f} %  {}\n", 100.0 * share, implementation);
}

}  // namespace lossmap
