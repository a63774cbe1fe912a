#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tests/support/host_arithmetic.hpp"
#include "tests/support/host_device_state.hpp"

/// Plans of the emulated device's libraries.
namespace lossmap::test {

/// Libraries are promised an alignment, and crash without it.
inline constexpr std::int64_t kWorkspaceAlignment = 256;
inline void require_aligned(std::initializer_list<const void*> addresses, std::int64_t alignment) {
    for (const void* address : addresses) {
        if (reinterpret_cast<std::uintptr_t>(address) % static_cast<std::uintptr_t>(alignment) != 0)
            throw InternalError("an operand that is not aligned to {} bytes", alignment);
    }
}

/// What the plans of a way have in common: its time passes, and its faults show.
class HostWayRun {
public:
    HostWayRun(std::shared_ptr<HostDeviceState> state, HostWay way) : state_(std::move(state)), way_(std::move(way)) {}

    [[nodiscard]] const HostWay& way() const { return way_; }
    [[nodiscard]] std::vector<std::byte> serialized() const {
        const auto bytes = std::as_bytes(std::span(way_.name));
        return {bytes.begin(), bytes.end()};
    }
    [[nodiscard]] bool is_beyond_sound_runs() const {
        const std::int64_t sound = state_->options.sound_runs;
        return ++state_->convolution_runs > sound && sound >= 0;
    }
    void take_product_time(std::int64_t points, std::int64_t samples) const {
        if (state_->options.product_seconds) state_->seconds += state_->options.product_seconds(points, samples);
    }
    /// @param first  element of the result, in the type
    void finish(void* first, DType type) const {
        state_->seconds += way_.seconds;
        if (way_.unsteady) static_cast<std::byte*>(first)[0] ^= static_cast<std::byte>(1 + ++runs_ % 2);
        if (way_.hides_nan) std::memset(first, 0, size_of(type));
    }

private:
    std::shared_ptr<HostDeviceState> state_;
    HostWay way_;
    mutable int runs_ = 0;
};

class HostGemmPlan final : public cuda::GemmPlan {
public:
    HostGemmPlan(const cuda::GemmProblem& problem, bool joins, HostWayRun way)
        : problem_(problem), joins_(joins), way_(std::move(way)) {}
    [[nodiscard]] cuda::JoinedWork joined() const override {
        return {joins_ && problem_.bias, false, joins_ && problem_.relu};
    }
    [[nodiscard]] std::size_t workspace_bytes() const override { return 256; }
    [[nodiscard]] std::string implementation() const override { return way_.way().name; }
    [[nodiscard]] std::vector<std::byte> serialized() const override { return way_.serialized(); }
    void run(const cuda::GemmOperands& operands, void*) const override {
        const auto at = [](const void* base, std::int64_t elements, std::size_t width) {
            return static_cast<const std::byte*>(base) + elements * static_cast<std::int64_t>(width);
        };
        const std::size_t width = size_of(problem_.type);
        for (std::int64_t item = 0; item < problem_.batch; ++item) {
            require_aligned(
                {at(operands.a, item * problem_.stride_a, width), at(operands.b, item * problem_.stride_b, width),
                 at(operands.d, item * problem_.stride_d, size_of(problem_.result_type))},
                problem_.alignment);
            if (joins_ && problem_.bias)
                require_aligned({at(operands.bias, item * problem_.stride_bias, sizeof(float))}, problem_.alignment);
        }
        require_aligned({operands.workspace}, kWorkspaceAlignment);
        multiply(problem_, joins_, operands);
        way_.take_product_time(problem_.batch, problem_.rows);
        way_.finish(operands.d, problem_.result_type);
    }

private:
    cuda::GemmProblem problem_;
    bool joins_;
    HostWayRun way_;
};

class HostConvolutionPlan final : public cuda::ConvolutionPlan {
public:
    HostConvolutionPlan(const cuda::ConvolutionProblem& problem, bool joins, bool spoiled, HostWayRun way)
        : problem_(problem), joins_(joins), spoiled_(spoiled), way_(std::move(way)) {}
    [[nodiscard]] cuda::JoinedWork joined() const override {
        return {joins_ && problem_.bias, joins_ && problem_.residual, joins_ && problem_.relu};
    }
    [[nodiscard]] std::size_t workspace_bytes() const override { return 512; }
    [[nodiscard]] std::string implementation() const override { return way_.way().name; }
    [[nodiscard]] std::vector<std::byte> serialized() const override { return way_.serialized(); }
    void run(const cuda::ConvolutionOperands& operands, void*) const override {
        require_aligned({operands.images, operands.weights, operands.bias, operands.residual, operands.result},
                        problem_.alignment);
        require_aligned({operands.workspace}, kWorkspaceAlignment);
        convolve(problem_, joins_, operands);
        if (spoiled_ || way_.is_beyond_sound_runs()) *static_cast<float*>(operands.result) += 1.0F;
        way_.finish(operands.result, problem_.type);
    }

private:
    cuda::ConvolutionProblem problem_;
    bool joins_;
    bool spoiled_;
    HostWayRun way_;
};

class HostEigenPlan final : public cuda::EigenPlan {
public:
    HostEigenPlan(std::int64_t order, int status) : order_(order), status_(status) {}
    [[nodiscard]] std::size_t workspace_bytes() const override { return 128; }
    [[nodiscard]] std::string implementation() const override { return "host rotations"; }
    void run(const cuda::EigenOperands& operands, void*) override {
        find_eigenvectors(order_, operands.matrix, operands.values);
        *operands.status = status_;
    }

private:
    std::int64_t order_;
    int status_;
};

}  // namespace lossmap::test
