#include "backend/comparing_backend.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/bound_request.hpp"
#include "backend/layer_check.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// That the interpreter looks at: it takes its time.
constexpr std::int64_t kTracedSamples = 8;

bool agree(double a, double b, double tolerance) {
    if (!std::isfinite(a) || !std::isfinite(b)) return a == b || (std::isnan(a) && std::isnan(b));
    return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

bool agree(const LossSums& a, const LossSums& b, double tolerance) {
    return agree(a.loss_sum, b.loss_sum, tolerance) && agree(a.loss_square_sum, b.loss_square_sum, 2 * tolerance) &&
           a.weight_sum == b.weight_sum && a.counted == b.counted && a.non_finite == b.non_finite;
}

class ComparingExecutable final : public Executable {
public:
    ComparingExecutable(const ExecutableRequest& request, Backend& reference, Backend& tested, double tolerance)
        : request_(request), tolerance_(tolerance), reference_(reference.compile(request)) {
        ExecutableRequest traced = request;
        traced.traceable = true;
        tested_ = tested.compile(traced);
    }

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override {
        reference_->evaluate(points, chunk, sums);
        std::vector<LossSums> others(points.size());
        tested_->evaluate(points, chunk, others);
        for (std::size_t k = 0; k < points.size(); ++k) {
            if (agree(sums[k], others[k], tolerance_)) continue;
            throw Error("two backends differ: loss sums {} and {} of {} samples; {}", sums[k].loss_sum,
                        others[k].loss_sum, chunk.count, first_difference(points[k], chunk));
        }
    }

    void estimate_statistics(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                             std::span<StatisticSums> sums) override {
        reference_->estimate_statistics(points, chunk, batch_samples, sums);
        std::vector<StatisticSums> others(sums.size());
        tested_->estimate_statistics(points, chunk, batch_samples, others);
        for (std::size_t k = 0; k < sums.size(); ++k) {
            const double difference = relative_difference(sums[k].states(), others[k].states());
            if (difference <= tolerance_) continue;
            throw Error("two backends differ: statistics of batch norms over {} samples by {:.1e}", chunk.count,
                        difference);
        }
    }

    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override {
        Tensor result = reference_->forward(point, chunk);
        const Tensor other = tested_->forward(point, chunk);
        const double difference = relative_difference(result.as<float>(), other.as<float>());
        if (difference > tolerance_) {
            throw Error("two backends differ: outputs by {:.1e}; {}", difference, first_difference(point, chunk));
        }
        return result;
    }

    [[nodiscard]] std::string plan_json() const override { return reference_->plan_json(); }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return reference_->macs_per_sample(); }
    [[nodiscard]] std::int64_t memory_bytes() const override {
        return reference_->memory_bytes() + tested_->memory_bytes();
    }

private:
    [[nodiscard]] std::string first_difference(const Point& point, const SampleChunk& chunk) {
        const std::int64_t declared = required_tile_samples(request_);
        const std::int64_t samples = declared > 0 ? declared : std::min(kTracedSamples, chunk.count);
        const std::vector<LayerDifference> layers = compare_layers(request_, *tested_, point, chunk, samples);
        if (layers.empty()) return "the second one does not show its values";
        for (const LayerDifference& layer : layers) {
            if (!layer.agrees())
                return fmt::format("the first value to differ is '{}' ({}), by {:.1e} where rounding explains {:.1e}",
                                   layer.name, layer.operators, layer.difference, layer.bound);
        }
        return "no value that is shown differs";
    }

    ExecutableRequest request_;
    double tolerance_;
    std::unique_ptr<Executable> reference_;
    std::unique_ptr<Executable> tested_;
};

class ComparingBackend final : public Backend {
public:
    ComparingBackend(std::shared_ptr<Backend> reference, std::shared_ptr<Backend> tested, double tolerance)
        : reference_(std::move(reference)), tested_(std::move(tested)), tolerance_(tolerance) {}

    [[nodiscard]] std::string name() const override { return reference_->name() + "+" + tested_->name(); }
    [[nodiscard]] std::vector<DeviceInfo> devices() const override {
        std::vector<DeviceInfo> result = reference_->devices();
        const std::vector<DeviceInfo> others = tested_->devices();
        result.insert(result.end(), others.begin(), others.end());
        return result;
    }
    [[nodiscard]] std::vector<std::string> library_versions() const override {
        std::vector<std::string> result = reference_->library_versions();
        const std::vector<std::string> others = tested_->library_versions();
        result.insert(result.end(), others.begin(), others.end());
        return result;
    }
    [[nodiscard]] std::string why_not(const ExecutableRequest& request) const override {
        const std::string reason = reference_->why_not(request);
        return reason.empty() ? tested_->why_not(request) : reason;
    }
    [[nodiscard]] std::unique_ptr<Executable> compile(const ExecutableRequest& request) override {
        return std::make_unique<ComparingExecutable>(request, *reference_, *tested_, tolerance_);
    }
    [[nodiscard]] bool prefers_bytes() const override { return tested_->prefers_bytes(); }
    /// The reference's own; the tested one gets a copy.
    [[nodiscard]] std::unique_ptr<DirectionMaker> direction_maker(const ParameterSpace& space,
                                                                  std::span<const float> origin) const override {
        return reference_->direction_maker(space, origin);
    }
    [[nodiscard]] std::unique_ptr<LinearAlgebra> linear_algebra(int threads) const override {
        return reference_->linear_algebra(threads);
    }

private:
    std::shared_ptr<Backend> reference_;
    std::shared_ptr<Backend> tested_;
    double tolerance_;
};

}  // namespace

std::unique_ptr<Backend> make_comparing_backend(std::shared_ptr<Backend> reference, std::shared_ptr<Backend> tested,
                                                double tolerance) {
    return std::make_unique<ComparingBackend>(std::move(reference), std::move(tested), tolerance);
}

}  // namespace lossmap
