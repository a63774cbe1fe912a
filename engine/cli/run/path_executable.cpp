#include "cli/run/path_executable.hpp"

#include "core/error.hpp"

namespace lossmap {
namespace {

/// How many points from the first on are of its kind: they go together.
std::size_t of_one_kind(std::span<const Point> points) {
    std::size_t count = 1;
    while (count < points.size() && points[count].coordinates.size() == points[0].coordinates.size())
        ++count;
    return count;
}

}  // namespace

PathExecutable::PathExecutable(std::unique_ptr<Executable> plane, std::unique_ptr<ModelSequence> checkpoints)
    : plane_(std::move(plane)), checkpoints_(std::move(checkpoints)) {}

void PathExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    if (points.size() != sums.size()) throw InternalError("{} points, {} sums", points.size(), sums.size());
    for (std::size_t first = 0, count = 0; first < points.size(); first += count) {
        count = of_one_kind(points.subspan(first));
        executable_of(points[first]).evaluate(points.subspan(first, count), chunk, sums.subspan(first, count));
    }
}

std::vector<double> PathExecutable::precision_error(std::span<const Point> points, const SampleChunk& chunk) {
    std::vector<double> errors;
    for (std::size_t first = 0, count = 0; first < points.size(); first += count) {
        count = of_one_kind(points.subspan(first));
        const auto own = executable_of(points[first]).precision_error(points.subspan(first, count), chunk);
        errors.insert(errors.end(), own.begin(), own.end());
    }
    return errors;
}

Tensor PathExecutable::forward(const Point& point, const SampleChunk& chunk) {
    return executable_of(point).forward(point, chunk);
}

Executable& PathExecutable::executable_of(const Point& point) {
    if (point.coordinates.size() == 1) return *checkpoints_;
    return *plane_;
}

}  // namespace lossmap
