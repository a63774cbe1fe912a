#include "cli/run/model_sequence.hpp"

#include "core/error.hpp"

namespace lossmap {

ModelSequence::ModelSequence(std::size_t models, Build build) : models_(models), build_(std::move(build)) {
    if (models_ == 0) throw InternalError("a sequence of no models");
    current_ = build_(0);
    plan_ = current_->plan_json();
    macs_ = current_->macs_per_sample();
    memory_ = current_->memory_bytes();
}

void ModelSequence::evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) {
    if (points.size() != sums.size()) throw InternalError("{} points, {} sums", points.size(), sums.size());
    const Point origin;
    for (std::size_t k = 0; k < points.size(); ++k)
        select(points[k]).evaluate({&origin, 1}, chunk, sums.subspan(k, 1));
}

Tensor ModelSequence::forward(const Point& point, const SampleChunk& chunk) {
    return select(point).forward(Point{}, chunk);
}

Executable& ModelSequence::select(const Point& point) {
    if (point.coordinates.size() != 1) throw InternalError("a point of {} coordinates", point.coordinates.size());
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
