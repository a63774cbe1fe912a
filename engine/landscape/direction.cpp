#include "landscape/direction.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace lossmap {
namespace {

DirectionRule rule_of(Normalization normalization) {
    switch (normalization) {
        case Normalization::filter: return DirectionRule::filter;
        case Normalization::layer: return DirectionRule::layer;
        case Normalization::weight: return DirectionRule::weight;
        case Normalization::dfilter: return DirectionRule::dfilter;
        case Normalization::dlayer: return DirectionRule::dlayer;
        case Normalization::none: return DirectionRule::keep;
    }
    throw InternalError("unknown normalization {}", static_cast<int>(normalization));
}

void require_size(const char* what, std::size_t size, std::int64_t expected) {
    if (static_cast<std::int64_t>(size) != expected) {
        throw InternalError("{} has {} elements, the parameters have {}", what, size, expected);
    }
}

/// Sum of a[i] * b[i]; a segment that does not move (empty) counts as zeros.
double dot(std::span<const float> a, std::span<const float> b) {
    if (a.empty() || b.empty()) return 0.0;
    if (a.size() != b.size())
        throw InputError("directions of {} and {} elements do not belong together", a.size(), b.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

double dot(const Direction& a, const Direction& b) { return dot(a.weights, b.weights) + dot(a.states, b.states); }

std::vector<float> subtract(std::span<const float> to, std::span<const float> from, const char* what) {
    if (to.size() != from.size()) {
        throw InputError("the two models hold {} and {} {}: they must have the same structure", to.size(), from.size(),
                         what);
    }
    std::vector<float> result(to.size());
    std::transform(to.begin(), to.end(), from.begin(), result.begin(), [](float a, float b) { return a - b; });
    return result;
}

}  // namespace

const char* name_of(Normalization normalization) {
    switch (normalization) {
        case Normalization::filter: return "filter";
        case Normalization::layer: return "layer";
        case Normalization::weight: return "weight";
        case Normalization::dfilter: return "dfilter";
        case Normalization::dlayer: return "dlayer";
        case Normalization::none: return "none";
    }
    throw InternalError("unknown normalization {}", static_cast<int>(normalization));
}

bool IgnoreSet::contains(const Parameter& parameter) const {
    return (bias && parameter.role == Role::bias) || (batch_norm && parameter.batch_norm) ||
           (norm && (parameter.norm || parameter.batch_norm)) || (one_dimensional && parameter.one_dimensional);
}

std::vector<TensorRule> direction_rules(const ParameterSpace& space, Normalization normalization,
                                        const IgnoreSet& ignore) {
    std::vector<TensorRule> rules;
    for (const Parameter& parameter : space.weights) {
        const FilterLayout& filters = parameter.filters;
        TensorRule tensor{parameter.offset, filters.outer, filters.count, filters.inner, rule_of(normalization)};
        if (ignore.contains(parameter) || parameter.one_dimensional) {
            tensor = {parameter.offset, 1, 1, parameter.size,
                      ignore.contains(parameter) ? DirectionRule::zero : DirectionRule::copy};
        } else if (tensor.size() != parameter.size) {
            throw InternalError("parameter '{}' of {} elements has filters [{}, {}, {}]", parameter.name,
                                parameter.size, filters.outer, filters.count, filters.inner);
        }
        rules.push_back(tensor);
    }
    return rules;
}

Direction random_gaussian(const ParameterSpace& space, std::uint64_t seed, int axis) {
    Direction direction;
    direction.weights.resize(static_cast<std::size_t>(space.weights_size()));
    fill_gaussian(space, seed, axis, direction.weights);
    return direction;
}

void normalize_direction(Direction& direction, const ParameterSpace& space, std::span<const float> weights,
                         Normalization normalization, const IgnoreSet& ignore) {
    require_size("the direction", direction.weights.size(), space.weights_size());
    require_size("the origin", weights.size(), space.weights_size());
    apply_rules(direction_rules(space, normalization, ignore), weights, direction.weights);
    direction.resident = nullptr;
}

Direction difference(const StateVector& to, const StateVector& from, bool move_states) {
    Direction direction;
    direction.weights = subtract(to.weights, from.weights, "weights");
    if (move_states) direction.states = subtract(to.states, from.states, "running statistics");
    return direction;
}

double cosine(const Direction& a, const Direction& b) {
    return dot(a, b) / (std::sqrt(dot(a, a)) * std::sqrt(dot(b, b)));
}

double expected_absolute_cosine(std::int64_t entries) {
    if (entries < 1) throw InternalError("expected cosine of {} entries", entries);
    return std::sqrt(2.0 / (std::numbers::pi * static_cast<double>(entries)));
}

}  // namespace lossmap
