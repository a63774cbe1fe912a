#include "cli/run/model_sequence.hpp"

#include "core/error.hpp"

namespace lossmap {
namespace {

/// The point without the number of its network.
Point rest_of(const Point& point) { return {{point.coordinates.begin() + 1, point.coordinates.end()}}; }

}  // namespace

ModelSequence::ModelSequence(std::size_t models, Build build) : models_(models), build_(std::move(build)) {
    if (models_ == 0) throw InternalError("a sequence of no models");
    current_ = build_(0);
    plan_ = current_->plan_json();
    macs_ = current_->macs_per_sample();
    memory_ = current_->memory_bytes();
}

void ModelSequence::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    if (points.size() != sums.size()) throw InternalError("{} points, {} sums", points.size(), sums.size());
    for (std::size_t first = 0; first < points.size();) {
        Executable& executable = select(points[first]);
        std::vector<Point> own;
        while (first + own.size() < points.size() && points[first + own.size()].coordinates.size() > 0 &&
               points[first + own.size()].coordinates[0] == points[first].coordinates[0])
            own.push_back(rest_of(points[first + own.size()]));
        executable.evaluate(own, chunk, sums.subspan(first, own.size()));
        first += own.size();
    }
}

Tensor ModelSequence::forward(const Point& point, const SampleChunk& chunk) {
    Executable& executable = select(point);
    return executable.forward(rest_of(point), chunk);
}

std::vector<double> ModelSequence::precision_error(std::span<const Point> points, const SampleChunk& chunk) {
    std::vector<double> errors;
    for (const Point& point : points) {
        const Point own = rest_of(point);
        const std::vector<double> error = select(point).precision_error({&own, 1}, chunk);
        errors.insert(errors.end(), error.begin(), error.end());
    }
    return errors;
}

Executable& ModelSequence::select(const Point& point) {
    if (point.coordinates.empty()) throw InternalError("a point without the number of its network");
    const auto model = static_cast<std::size_t>(point.coordinates[0]);
    if (model >= models_) throw InternalError("model {} of {}", model, models_);
    if (current_ == nullptr || model != current_model_) {
        current_.reset();
        current_ = build_(model);
        current_model_ = model;
    }
    return *current_;
}

}  // namespace lossmap
