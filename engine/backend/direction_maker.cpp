#include "backend/direction_maker.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/gaussian_row.hpp"
#include "core/philox.hpp"

namespace lossmap {
namespace {

/// Elements of one filter: `outer` runs of `inner` contiguous elements, `stride` apart.
struct FilterSlice {
    std::int64_t first = 0;
    std::int64_t stride = 0;
    std::int64_t outer = 1;
    std::int64_t inner = 1;
};

template <typename Values, typename Visit>
void for_each_element(Values values, const FilterSlice& slice, const Visit& visit) {
    for (std::int64_t o = 0; o < slice.outer; ++o) {
        auto* run = values.data() + slice.first + o * slice.stride;
        for (std::int64_t i = 0; i < slice.inner; ++i)
            visit(run[i]);
    }
}

double norm_of(std::span<const float> values, const FilterSlice& slice) {
    std::array<double, kNormLanes> lanes{};
    std::size_t lane = 0;
    for_each_element(values, slice, [&](float value) {
        lanes[lane] += static_cast<double>(value) * static_cast<double>(value);
        lane = (lane + 1) % lanes.size();
    });
    for (std::size_t half = lanes.size() / 2; half > 0; half /= 2) {
        for (std::size_t k = 0; k < half; ++k)
            lanes[k] += lanes[k + half];
    }
    return std::sqrt(lanes[0]);
}

void match_norm(std::span<float> d, std::span<const float> w, const FilterSlice& slice, double guard) {
    const auto factor = static_cast<float>(norm_of(w, slice) / (norm_of(d, slice) + guard));
    for_each_element(d, slice, [factor](float& value) { value *= factor; });
}

void divide_by_norm(std::span<float> d, const FilterSlice& slice, double guard) {
    const auto divisor = static_cast<float>(norm_of(d, slice) + guard);
    for_each_element(d, slice, [divisor](float& value) { value /= divisor; });
}

void apply(const TensorRule& tensor, std::span<const float> w, std::span<float> d) {
    const FilterSlice whole{0, 0, 1, tensor.size()};
    const auto filter = [&](std::int64_t f) {
        return FilterSlice{f * tensor.inner, tensor.count * tensor.inner, tensor.outer, tensor.inner};
    };
    switch (tensor.rule) {
        case DirectionRule::filter:
            for (std::int64_t f = 0; f < tensor.count; ++f)
                match_norm(d, w, filter(f), kNormGuard);
            return;
        case DirectionRule::dfilter:
            for (std::int64_t f = 0; f < tensor.count; ++f)
                divide_by_norm(d, filter(f), kNormGuard);
            return;
        case DirectionRule::layer: match_norm(d, w, whole, 0.0); return;
        case DirectionRule::dlayer: divide_by_norm(d, whole, 0.0); return;
        case DirectionRule::weight:
            std::transform(d.begin(), d.end(), w.begin(), d.begin(), [](float a, float b) { return a * b; });
            return;
        case DirectionRule::zero: std::fill(d.begin(), d.end(), 0.0F); return;
        case DirectionRule::copy: std::copy(w.begin(), w.end(), d.begin()); return;
        case DirectionRule::keep: return;
    }
    throw InternalError("unknown rule {} of a direction", static_cast<int>(tensor.rule));
}

class HostDirectionMaker final : public DirectionMaker {
public:
    HostDirectionMaker(const ParameterSpace& space, std::span<const float> origin) : space_(space), origin_(origin) {}

    [[nodiscard]] MadeWeights gaussian(std::uint64_t seed, int axis, std::span<const TensorRule> rules) override {
        MadeWeights made{std::vector<float>(origin_.size()), nullptr};
        fill_gaussian(space_, seed, axis, made.weights);
        apply_rules(rules, origin_, made.weights);
        return made;
    }

private:
    const ParameterSpace& space_;
    std::span<const float> origin_;
};

}  // namespace

void fill_gaussian(const ParameterSpace& space, std::uint64_t seed, int axis, std::span<float> direction) {
    for (const Parameter& parameter : space.weights) {
        const std::uint64_t hash = name_hash(parameter.name);
        gaussian_row(
            seed, static_cast<std::uint32_t>(axis), hash, 0,
            direction.subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(parameter.size)));
    }
}

void apply_rules(std::span<const TensorRule> rules, std::span<const float> origin, std::span<float> direction) {
    for (const TensorRule& tensor : rules) {
        const auto first = static_cast<std::size_t>(tensor.offset);
        const auto size = static_cast<std::size_t>(tensor.size());
        apply(tensor, origin.subspan(first, size), direction.subspan(first, size));
    }
}

std::unique_ptr<DirectionMaker> make_host_direction_maker(const ParameterSpace& space, std::span<const float> origin) {
    return std::make_unique<HostDirectionMaker>(space, origin);
}

}  // namespace lossmap
