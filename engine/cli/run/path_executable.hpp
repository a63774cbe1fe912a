#pragma once

#include <memory>
#include <string>

#include "cli/run/model_sequence.hpp"

namespace lossmap {

/// A plane and the checkpoints of a path over it behind one Executable: a point of two coordinates lies in the plane, a
/// point of one is the checkpoint of that number.
class PathExecutable final : public Executable {
public:
    PathExecutable(std::unique_ptr<Executable> plane, std::unique_ptr<ModelSequence> checkpoints);

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    /// Of the plane, as is the number of multiply-adds.
    [[nodiscard]] std::string plan_json() const override { return plane_->plan_json(); }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return plane_->macs_per_sample(); }
    [[nodiscard]] std::int64_t points_per_pass() const override { return plane_->points_per_pass(); }
    [[nodiscard]] bool is_exact() const override { return plane_->is_exact(); }
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) override;
    [[nodiscard]] std::int64_t memory_bytes() const override {
        return plane_->memory_bytes() + checkpoints_->memory_bytes();
    }

private:
    [[nodiscard]] Executable& executable_of(const Point& point);

    std::unique_ptr<Executable> plane_;
    std::unique_ptr<ModelSequence> checkpoints_;
};

}  // namespace lossmap
