#include "cli/run/path_executable.hpp"

#include "core/error.hpp"

namespace lossmap {

PathExecutable::PathExecutable(std::unique_ptr<Executable> plane, std::unique_ptr<ModelSequence> checkpoints)
    : plane_(std::move(plane)), checkpoints_(std::move(checkpoints)) {}

void PathExecutable::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    if (points.size() != sums.size()) throw InternalError("{} points, {} sums", points.size(), sums.size());
    // Points of one kind that follow each other go together.
    for (std::size_t first = 0; first < points.size();) {
        std::size_t end = first + 1;
        while (end < points.size() && points[end].coordinates.size() == points[first].coordinates.size())
            ++end;
        executable_of(points[first])
            .evaluate(points.subspan(first, end - first), chunk, sums.subspan(first, end - first));
        first = end;
    }
}

Tensor PathExecutable::forward(const Point& point, const SampleChunk& chunk) {
    return executable_of(point).forward(point, chunk);
}

Executable& PathExecutable::executable_of(const Point& point) {
    if (point.coordinates.size() == 1) return *checkpoints_;
    return *plane_;
}

}  // namespace lossmap
