#include "cli/run/precision_probe.hpp"

#include <algorithm>
#include <set>

namespace lossmap {
namespace {

constexpr std::int64_t kSamples = 256;

}  // namespace

PrecisionError probe_precision(Executable& executable, const std::vector<Point>& points, const Dataset& data) {
    PrecisionError result;
    if (points.empty() || data.size() == 0) return result;
    result.samples = std::min(kSamples, data.size());
    const SampleChunk chunk = data.read(0, result.samples);
    for (const std::size_t index : std::set<std::size_t>{0, points.size() / 2, points.size() - 1}) {
        const std::vector<double> error = executable.precision_error({&points[index], 1}, chunk);
        if (error.empty()) return {};
        result.points.push_back(points[index]);
        result.relative.push_back(error.front());
    }
    return result;
}

}  // namespace lossmap
