#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cuda/backend/convolution.hpp"
#include "cuda/backend/gemm.hpp"
#include "cuda/backend/operation.hpp"

namespace lossmap::cuda {

/// A product through the device's library, once or once a point.
class GemmOperation final : public Operation {
public:
    struct Operands {
        Located a;
        Located b;
        std::optional<Located> bias;
        Located result;
        Located workspace;
    };
    /// @param launches  runs of the plan: 1 where its batch covers all points, else their number
    GemmOperation(std::unique_ptr<GemmPlan> plan, Operands operands, std::int64_t points, std::int64_t launches)
        : plan_(std::move(plan)), operands_(std::move(operands)), points_(points), launches_(launches) {}

    void queue(const Frame& frame) const override;
    [[nodiscard]] std::vector<Place> places() const override;
    [[nodiscard]] std::string implementation() const override { return plan_->implementation(); }

private:
    std::shared_ptr<GemmPlan> plan_;
    Operands operands_;
    std::int64_t points_;
    std::int64_t launches_;
};

/// A convolution through the device's library: its weights differ from point to point, so it runs once a point.
class ConvolutionOperation final : public Operation {
public:
    struct Operands {
        Located images;
        Located weights;
        std::optional<Located> bias;
        std::optional<Located> residual;
        Located result;
        Located workspace;
    };
    ConvolutionOperation(std::unique_ptr<ConvolutionPlan> plan, Operands operands, std::int64_t points)
        : plan_(std::move(plan)), operands_(std::move(operands)), points_(points) {}

    void queue(const Frame& frame) const override;
    [[nodiscard]] std::vector<Place> places() const override;
    [[nodiscard]] std::string implementation() const override { return plan_->implementation(); }

private:
    std::shared_ptr<ConvolutionPlan> plan_;
    Operands operands_;
    std::int64_t points_;
};

}  // namespace lossmap::cuda
