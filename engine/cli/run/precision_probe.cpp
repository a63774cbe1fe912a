#include "cli/run/precision_probe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>

namespace lossmap {
namespace {

constexpr std::int64_t kSamples = 256;

/// Relative errors of a loss that rounding explains: fp32's is what it is held to, those of the others are ten times
/// what was measured at worst with few samples and small losses (docs/gpu.md).
double explained(Precision precision) {
    switch (precision) {
        case Precision::fp32: return 1e-4;
        case Precision::tf32: return 0.1;
        case Precision::fp16: return 0.05;
        case Precision::bf16: return 0.3;
    }
    return 0.0;
}

}  // namespace

PrecisionError probe_precision(Executable& executable, const std::vector<Point>& points, const Dataset& data) {
    PrecisionError result;
    if (executable.is_exact() || points.empty() || data.size() == 0) return result;
    result.samples = std::min(kSamples, data.size());
    const SampleChunk chunk = data.read(0, result.samples);
    for (const std::size_t index : std::set<std::size_t>{0, points.size() / 2, points.size() - 1})
        result.points.push_back(points[index]);
    result.relative = executable.precision_error(result.points, chunk);
    if (result.relative.empty()) return {};
    if (result.relative.size() != result.points.size())
        throw InternalError("{} errors of {} points", result.relative.size(), result.points.size());
    return result;
}

PrecisionRemark remark_on(const PrecisionError& error, Precision precision, const std::string& backend) {
    // What is no number is worse than any.
    const auto less_bad = [](double a, double b) { return !std::isnan(a) && (std::isnan(b) || a < b); };
    const auto worst = std::max_element(error.relative.begin(), error.relative.end(), less_bad);
    const double limit = explained(precision), largest = *worst;
    const bool unexplained = !(largest <= limit);
    std::string text =
        fmt::format("{}: mean losses of {} samples at {} points are {} {:.2g} of plain fp32's", name_of(precision),
                    error.samples, error.points.size(), unexplained ? "off by up to" : "within", largest);
    if (unexplained)
        text += fmt::format(
            ", at ({:.4g}); rounding explains {:.2g}. Find the layer with --check-against cpu, or leave fast kernels "
            "out with --disable-pass {}",
            fmt::join(error.points[static_cast<std::size_t>(worst - error.relative.begin())].coordinates, ", "), limit,
            backend == "cpu"               ? "transforms"
            : precision == Precision::fp32 ? "split_stages"
                                           : "stages");
    return {text, unexplained};
}

}  // namespace lossmap
