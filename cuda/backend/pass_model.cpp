#include "cuda/backend/pass_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lossmap::cuda {
namespace {

/// Sizes that the model holds for so much worse than its favourite are not measured: where they differ little, and
/// where they are another kind of pass (many points of few samples, few points of many), whose launches it may
/// misjudge.
constexpr double kNear = 1.5;
constexpr double kFar = 6.0;
/// Octaves by which sizes that are measured differ.
constexpr double kApart = 1.0;
/// Estimates closer than this are equal: the model is not better.
constexpr double kAlike = 1.03;
/// Octaves up to which a measured size tells of another one.
constexpr double kTells = 2.0;
/// By so much a size that was not measured has to be better than one that was.
constexpr double kWorthLeaving = 1.05;
/// Kernels take images in groups of up to 8.
constexpr std::int64_t kSampleGroup = 8;

std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

/// Share of a pass that is no filling up, where so many of something come in pieces.
double used(std::int64_t whole, std::int64_t piece) {
    if (whole == 0) return 1.0;
    return static_cast<double>(whole) / static_cast<double>(parts(whole, piece) * piece);
}

/// Powers of two, and what divides a known whole evenly.
std::vector<std::int64_t> choices(std::int64_t whole, std::int64_t most, std::int64_t fixed, std::int64_t group) {
    if (fixed > 0) return {fixed};
    std::vector<std::int64_t> result;
    const std::int64_t enough = whole == 0 ? most : std::min(most, whole);
    for (std::int64_t power = 1; power <= enough; power *= 2)
        result.push_back(power);
    for (std::int64_t count = 1; whole > 0 && count <= 16; ++count) {
        const std::int64_t even = parts(whole, count);
        const std::int64_t grouped = parts(even, group) * group;
        for (const std::int64_t piece : {even, grouped}) {
            if (piece <= std::min(most, std::max(whole, group))) result.push_back(piece);
        }
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
}

/// What a convolution takes beyond its arithmetic, by the way that is better for the size.
/// @param rate  of memory, bytes a second
double excess_seconds(const ConvolutionTimes& times, const PassSize& size, double rate) {
    const auto samples = static_cast<double>(size.samples);
    const auto points = static_cast<double>(size.points);
    const double library = points * (kConvolutionSeconds + samples * times.library);
    // A round takes as long when there are not blocks enough for it.
    const std::int64_t blocks = size.points * parts(size.samples, times.group_samples) * times.group_blocks;
    const double spared = kLaunchSeconds * static_cast<double>(times.spared_launches) +
                          points * samples * static_cast<double>(times.spared_bytes) / rate;
    const double tiles =
        kLaunchSeconds + static_cast<double>(parts(blocks, times.resident_blocks)) * times.round - spared;
    return std::min(library, tiles) - points * samples * std::min(times.library, times.tiles());
}

/// What a launch of blocks takes beyond the arithmetic of a device that is full. Of the last round, which is not, the
/// blocks that are alone on a multiprocessor wait for nobody.
double excess_seconds(const BlockTimes& times, const PassSize& size) {
    const std::int64_t rows = size.samples * times.sample_rows;
    const std::int64_t blocks = size.points * parts(rows, times.group_rows);
    const auto rest = static_cast<double>(blocks % times.resident_blocks) / static_cast<double>(times.resident_blocks);
    const double last = rest == 0.0 ? 0.0 : times.alone + rest * (times.round - times.alone);
    return static_cast<double>(blocks / times.resident_blocks) * times.round + last -
           static_cast<double>(size.points * rows) * times.full();
}

/// Seconds of launches and memory.
double moving_seconds(const PassCosts& costs, const PassLimits& limits, const PassSize& size) {
    const auto evaluations = static_cast<double>(size.points * size.samples);
    double launches = kLaunchSeconds * static_cast<double>(costs.launches) +
                      kConvolutionSeconds * static_cast<double>(costs.point_launches * size.points) +
                      costs.stage_seconds;
    // Half of the cache, as weights and streams go through it, too.
    const bool cached =
        evaluations * static_cast<double>(costs.widest_bytes) * 2.0 <= static_cast<double>(limits.cache_bytes);
    const double rate = cached ? kCacheBytesASecond : kMemoryBytesASecond;
    for (const ConvolutionTimes& times : costs.either_way)
        launches += excess_seconds(times, size, rate);
    for (const BlockTimes& times : costs.blocks)
        launches += excess_seconds(times, size);
    return launches + evaluations * static_cast<double>(costs.traffic_bytes) / rate;
}

/// Octaves between two sizes.
double distance(const PassSize& a, const PassSize& b) {
    const auto octaves = [](std::int64_t left, std::int64_t right) {
        return std::abs(std::log2(static_cast<double>(left) / static_cast<double>(right)));
    };
    return std::max(octaves(a.points, b.points), octaves(a.samples, b.samples));
}

/// From the nearest of some sizes.
double distance(const PassSize& size, const std::vector<PassSize>& others) {
    double least = std::numeric_limits<double>::infinity();
    for (const PassSize& other : others)
        least = std::min(least, distance(size, other));
    return least;
}

}  // namespace

bool fits(const PassCosts& costs, const PassLimits& limits, const PassSize& size) {
    const std::int64_t evaluations = size.points * size.samples;
    // One point and the fewest samples go through whatever they take.
    const bool least = size.points == 1 && (size.samples == 1 || limits.fixed_samples > 0);
    if (!least && evaluations * costs.evaluation_bytes > limits.pass_bytes) return false;
    const std::int64_t bytes = costs.constant_bytes + size.points * costs.weight_bytes +
                               evaluations * costs.evaluation_bytes + size.samples * limits.beside_bytes;
    return least || bytes <= limits.memory_bytes;
}

double useful_share(const PassLimits& limits, const PassSize& size) {
    return used(limits.total_points, size.points) * used(limits.chunk_samples, size.samples);
}

double estimated_seconds(const PassCosts& costs, const PassLimits& limits, const PassSize& size) {
    const auto evaluations = static_cast<double>(size.points * size.samples);
    return moving_seconds(costs, limits, size) / (evaluations * useful_share(limits, size));
}

double estimated_pass_seconds(const PassCosts& costs, const PassLimits& limits, const PassSize& size) {
    const auto macs = static_cast<double>(size.points * size.samples) * static_cast<double>(costs.macs);
    return moving_seconds(costs, limits, size) + macs / costs.macs_a_second;
}

std::vector<PassSize> ranked_sizes(const PassCosts& costs, const PassLimits& limits) {
    std::vector<std::pair<double, PassSize>> rated;
    for (const std::int64_t samples :
         choices(limits.chunk_samples, limits.most_samples, limits.fixed_samples, kSampleGroup)) {
        for (const std::int64_t points : choices(limits.total_points, limits.most_points, limits.fixed_points, 1)) {
            const PassSize size{points, samples};
            if (fits(costs, limits, size)) rated.emplace_back(estimated_seconds(costs, limits, size), size);
        }
    }
    if (rated.empty())
        return {{std::max<std::int64_t>(limits.fixed_points, 1), std::max<std::int64_t>(limits.fixed_samples, 1)}};
    const auto by_estimate = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(rated.begin(), rated.end(), by_estimate);
    const double enough = rated.front().first * kAlike;
    const auto alike = std::find_if(rated.begin(), rated.end(), [&](const auto& own) { return own.first > enough; });
    std::stable_sort(rated.begin(), alike, [](const auto& a, const auto& b) {
        const std::int64_t left = a.second.points * a.second.samples;
        const std::int64_t right = b.second.points * b.second.samples;
        return left != right ? left < right : a.first < b.first;
    });
    std::vector<PassSize> result;
    for (const auto& [seconds, size] : rated)
        result.push_back(size);
    return result;
}

std::vector<PassSize> sizes_to_measure(const PassCosts& costs, const PassLimits& limits, std::size_t most) {
    const std::vector<PassSize> ranked = ranked_sizes(costs, limits);
    const double favourite = estimated_seconds(costs, limits, ranked.front());
    std::vector<PassSize> result{ranked.front()};
    const auto within = [&](const PassSize& size, double factor) {
        return estimated_seconds(costs, limits, size) <= factor * favourite && distance(size, result) >= kApart;
    };
    while (result.size() < most) {
        const std::size_t before = result.size();
        const auto next =
            std::find_if(ranked.begin(), ranked.end(), [&](const PassSize& size) { return within(size, kNear); });
        if (next != ranked.end()) result.push_back(*next);
        const PassSize* farthest = nullptr;
        for (const PassSize& size : ranked) {
            const bool farther = farthest == nullptr || distance(size, result) > distance(*farthest, result);
            if (farther && within(size, kFar)) farthest = &size;
        }
        if (farthest != nullptr && result.size() < most) result.push_back(*farthest);
        if (result.size() == before) break;
    }
    return result;
}

namespace {

/// What the model leaves out of an evaluation, or is off by, at the measured size nearest to another one.
class Rates {
public:
    Rates(const PassCosts& costs, const PassLimits& limits, std::span<const TriedSize> rates)
        : costs_(costs), limits_(limits), rates_(rates) {}

    [[nodiscard]] const TriedSize& nearest(const PassSize& size) const {
        return *std::min_element(rates_.begin(), rates_.end(), [&](const TriedSize& a, const TriedSize& b) {
            return distance(a.size, size) < distance(b.size, size);
        });
    }
    /// Seconds of an evaluation that counts; infinite where nothing tells of the size.
    [[nodiscard]] double seconds(const PassSize& size) const {
        const TriedSize& known = nearest(size);
        if (distance(known.size, size) > kTells) return std::numeric_limits<double>::infinity();
        const double own = known.seconds + moved(size) - moved(known.size);
        // The model may hold too much of the measured time for launches.
        return std::max(own, known.seconds / 2.0) / useful_share(limits_, size);
    }

private:
    [[nodiscard]] double moved(const PassSize& size) const {
        return moving_seconds(costs_, limits_, size) / static_cast<double>(size.points * size.samples);
    }

    const PassCosts& costs_;
    const PassLimits& limits_;
    std::span<const TriedSize> rates_;
};

bool may_be(const PassCosts& costs, const PassLimits& limits, const PassSize& size) {
    return fits(costs, limits, size) && size.points <= limits.most_points && size.samples <= limits.most_samples &&
           (limits.fixed_points == 0 || limits.fixed_points == size.points) &&
           (limits.fixed_samples == 0 || limits.fixed_samples == size.samples);
}

}  // namespace

std::optional<PassSize> size_by_rates(const PassCosts& costs, const PassLimits& limits,
                                      std::span<const TriedSize> rates) {
    if (rates.empty()) return {};
    const Rates known(costs, limits, rates);
    const std::vector<PassSize> ranked = ranked_sizes(costs, limits);
    if (distance(known.nearest(ranked.front()).size, ranked.front()) > kTells) return {};
    const auto by_seconds = [&](const PassSize& a, const PassSize& b) { return known.seconds(a) < known.seconds(b); };
    const PassSize best = *std::min_element(ranked.begin(), ranked.end(), by_seconds);
    std::vector<PassSize> measured;
    for (const TriedSize& rate : rates) {
        if (may_be(costs, limits, rate.size)) measured.push_back(rate.size);
    }
    const auto stays = std::min_element(measured.begin(), measured.end(), by_seconds);
    if (stays != measured.end() && known.seconds(*stays) <= kWorthLeaving * known.seconds(best)) return *stays;
    return best;
}

}  // namespace lossmap::cuda
