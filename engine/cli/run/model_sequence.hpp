#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// Several networks, or one with several sets of directions, behind one Executable: the first coordinate of a point is
/// the number of the network, the others are the point for it. A network is built when its point comes. One is held at
/// a time, so that a thousand checkpoints need the memory of one.
class ModelSequence final : public Executable {
public:
    using Build = std::function<std::unique_ptr<Executable>(std::size_t model)>;

    ModelSequence(std::size_t models, Build build);

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override;
    /// Of the first network, as are the two numbers below.
    [[nodiscard]] std::string plan_json() const override { return plan_; }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return macs_; }
    [[nodiscard]] std::int64_t memory_bytes() const override { return memory_; }
    /// Not known before a network is built.
    [[nodiscard]] bool is_exact() const override { return false; }
    /// Of one point.
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points, const SampleChunk& chunk) override;

private:
    Executable& select(const Point& point);

    std::size_t models_;
    Build build_;
    std::unique_ptr<Executable> current_;
    std::size_t current_model_ = 0;
    std::string plan_;
    std::int64_t macs_ = 0;
    std::int64_t memory_ = 0;
};

}  // namespace lossmap
