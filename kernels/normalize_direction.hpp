#pragma once

#include <cmath>
#include <cstdint>

#include "core/direction_rule.hpp"
#include "kernels/block_rows.hpp"
#include "kernels/operand.hpp"
#include "kernels/strided_loop.hpp"

namespace lossmap::kernels {

/// One tensor, in place (any rule but `keep`), read as [outer, count, inner]: element (o, f, i) is part of filter f.
/// Norms are fp64 sums in a fixed order; the factor is rounded to fp32 before it is applied.
struct NormalizeDirectionArgs {
    float* direction = nullptr;
    const float* weights = nullptr;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    DirectionRule rule = DirectionRule::filter;
};

/// One block a filter, or one for the whole tensor (count 1).
struct NormalizeDirection {
    using Rows = RowBlock<256>;
    static constexpr int kThreads = kRowThreads;
    static_assert(kThreads == kNormLanes);
    struct Shared {
        double direction[kRowThreads];
        double weights[kRowThreads];
    };
    struct Thread {};

    NormalizeDirectionArgs args;
    FastExtent inner;

    LOSSMAP_HD int phases() const { return Rows::kTreeSteps + 2; }

    LOSSMAP_HD void phase(int phase, std::int64_t, std::int64_t filter, int thread, Shared& shared, Thread&) const {
        if (phase == 0) {
            double direction = 0.0;
            double weights = 0.0;
            for (std::int64_t k = thread; k < args.outer * args.inner; k += kThreads) {
                const std::int64_t at = place_of(filter, k);
                const double d = static_cast<double>(args.direction[at]);
                const double w = static_cast<double>(args.weights[at]);
                direction += d * d;
                weights += w * w;
            }
            shared.direction[thread] = direction;
            shared.weights[thread] = weights;
        } else if (phase <= Rows::kTreeSteps) {
            Rows::tree_step(shared.direction, thread, phase - 1, Sum{});
            Rows::tree_step(shared.weights, thread, phase - 1, Sum{});
        } else {
            scale(filter, thread, std::sqrt(shared.direction[0]), std::sqrt(shared.weights[0]));
        }
    }

private:
    LOSSMAP_HD std::int64_t place_of(std::int64_t filter, std::int64_t k) const {
        const std::int64_t i = inner.take(k);
        return (k * args.count + filter) * args.inner + i;
    }

    LOSSMAP_HD void scale(std::int64_t filter, int thread, double direction, double weights) const {
        const bool guarded = args.rule == DirectionRule::filter || args.rule == DirectionRule::dfilter;
        const double length = guarded ? direction + kNormGuard : direction;
        const bool matches = args.rule == DirectionRule::filter || args.rule == DirectionRule::layer;
        const auto factor = static_cast<float>(matches ? weights / length : length);
        for (std::int64_t k = thread; k < args.outer * args.inner; k += kThreads) {
            float& value = args.direction[place_of(filter, k)];
            value = matches ? value * factor : value / factor;
        }
    }
};

/// The rules that need no norm.
struct ReplaceDirection {
    NormalizeDirectionArgs args;

    LOSSMAP_HD void operator()(std::int64_t, std::int64_t index) const {
        float& value = args.direction[index];
        value = args.rule == DirectionRule::zero     ? 0.0F
                : args.rule == DirectionRule::weight ? value * args.weights[index]
                                                     : args.weights[index];
    }
};

template <typename Launch>
void launch_normalize_direction(const NormalizeDirectionArgs& given, const Launch& launch) {
    NormalizeDirectionArgs args = given;
    const std::int64_t size = args.outer * args.count * args.inner;
    if (size == 0) return;
    switch (args.rule) {
        case DirectionRule::keep: refuse("normalize_direction", "rule", static_cast<int>(args.rule));
        case DirectionRule::zero:
        case DirectionRule::copy:
        case DirectionRule::weight: return launch.items(1, size, ReplaceDirection{args});
        case DirectionRule::layer:
        case DirectionRule::dlayer:
            args.outer = args.count = 1;
            args.inner = size;
            break;
        default: break;
    }
    launch.blocks(1, args.count, NormalizeDirection{args, FastExtent(args.inner, is_narrow(args.outer * args.inner))});
}

}  // namespace lossmap::kernels
