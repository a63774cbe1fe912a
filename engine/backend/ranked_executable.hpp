#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "backend/rank_agreement.hpp"

namespace lossmap {

/// One network on several ranks that make the same calls: each evaluates its part of the points, and all have all the
/// sums. Since a point's bits depend neither on other points nor on who computes it, results are those of one rank.
class RankedExecutable final : public Executable {
public:
    /// All ranks together. `ranks` and `own`, this rank's network, have to outlive it. Throws UnsupportedError on every
    /// rank unless the ranks' plans are equal.
    RankedExecutable(RankAgreement& ranks, Executable& own);

    /// Throws on every rank where one throws.
    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override;
    /// This rank's own, as is everything below.
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override {
        return own_.forward(point, chunk);
    }
    [[nodiscard]] std::string plan_json() const override { return own_.plan_json(); }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return own_.macs_per_sample(); }
    /// Of all ranks.
    [[nodiscard]] std::int64_t points_per_pass() const override { return own_.points_per_pass() * ranks_.size(); }
    [[nodiscard]] bool is_exact() const override { return own_.is_exact(); }
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points,
                                                      const SampleChunk& chunk) override {
        return own_.precision_error(points, chunk);
    }
    [[nodiscard]] std::int64_t memory_bytes() const override { return own_.memory_bytes(); }

private:
    RankAgreement& ranks_;
    Executable& own_;
};

}  // namespace lossmap
