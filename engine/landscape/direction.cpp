#include "landscape/direction.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace lossmap {
namespace {

// The reference implementation's guard against a filter of zeros.
constexpr double kNormGuard = 1e-10;

/// Elements of one filter: `outer` runs of `inner` contiguous elements, `stride` apart.
struct FilterSlice {
    std::int64_t first = 0;
    std::int64_t stride = 0;
    std::int64_t outer = 1;
    std::int64_t inner = 1;
};

double norm_of(std::span<const float> values, const FilterSlice& slice) {
    double sum = 0.0;
    for (std::int64_t o = 0; o < slice.outer; ++o) {
        const float* run = values.data() + slice.first + o * slice.stride;
        for (std::int64_t i = 0; i < slice.inner; ++i)
            sum += static_cast<double>(run[i]) * static_cast<double>(run[i]);
    }
    return std::sqrt(sum);
}

/// The factor is rounded to fp32 first: torch multiplies an fp32 tensor by an fp32 scalar tensor.
void scale(std::span<float> values, const FilterSlice& slice, double factor) {
    const auto rounded = static_cast<float>(factor);
    for (std::int64_t o = 0; o < slice.outer; ++o) {
        float* run = values.data() + slice.first + o * slice.stride;
        for (std::int64_t i = 0; i < slice.inner; ++i)
            run[i] *= rounded;
    }
}

void divide(std::span<float> values, const FilterSlice& slice, double divisor) {
    const auto rounded = static_cast<float>(divisor);
    for (std::int64_t o = 0; o < slice.outer; ++o) {
        float* run = values.data() + slice.first + o * slice.stride;
        for (std::int64_t i = 0; i < slice.inner; ++i)
            run[i] /= rounded;
    }
}

void normalize_filters(std::span<float> d, std::span<const float> w, const FilterLayout& layout, bool match_weights) {
    for (std::int64_t filter = 0; filter < layout.count; ++filter) {
        const FilterSlice slice{filter * layout.inner, layout.count * layout.inner, layout.outer, layout.inner};
        const double length = norm_of(d, slice) + kNormGuard;
        if (match_weights) {
            scale(d, slice, norm_of(w, slice) / length);
        } else {
            divide(d, slice, length);
        }
    }
}

void normalize_tensor(std::span<float> d, std::span<const float> w, const FilterLayout& layout,
                      Normalization normalization) {
    const FilterSlice whole{0, 0, 1, static_cast<std::int64_t>(d.size())};
    switch (normalization) {
        case Normalization::filter: normalize_filters(d, w, layout, true); return;
        case Normalization::dfilter: normalize_filters(d, w, layout, false); return;
        case Normalization::layer: scale(d, whole, norm_of(w, whole) / norm_of(d, whole)); return;
        case Normalization::dlayer: divide(d, whole, norm_of(d, whole)); return;
        case Normalization::weight:
            std::transform(d.begin(), d.end(), w.begin(), d.begin(), [](float a, float b) { return a * b; });
            return;
        case Normalization::none: return;
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

Direction random_gaussian(const ParameterSpace& space, std::uint64_t seed, int axis) {
    Direction direction;
    direction.weights.resize(static_cast<std::size_t>(space.weights_size()));
    for (const Parameter& parameter : space.weights) {
        const std::uint64_t hash = name_hash(parameter.name);
        float* values = direction.weights.data() + parameter.offset;
        for (std::int64_t i = 0; i < parameter.size; ++i) {
            values[i] = gaussian(seed, static_cast<std::uint32_t>(axis), hash, static_cast<std::uint64_t>(i));
        }
    }
    return direction;
}

void normalize_direction(Direction& direction, const ParameterSpace& space, std::span<const float> weights,
                         Normalization normalization, const IgnoreSet& ignore) {
    require_size("the direction", direction.weights.size(), space.weights_size());
    require_size("the origin", weights.size(), space.weights_size());
    for (const Parameter& parameter : space.weights) {
        const auto first = static_cast<std::size_t>(parameter.offset);
        const auto size = static_cast<std::size_t>(parameter.size);
        const std::span<float> d = std::span(direction.weights).subspan(first, size);
        const std::span<const float> w = weights.subspan(first, size);
        if (ignore.contains(parameter)) {
            std::fill(d.begin(), d.end(), 0.0f);
        } else if (parameter.one_dimensional) {
            std::copy(w.begin(), w.end(), d.begin());
        } else {
            const FilterLayout& filters = parameter.filters;
            if (filters.outer * filters.count * filters.inner != parameter.size) {
                throw InternalError("parameter '{}' of {} elements has filters [{}, {}, {}]", parameter.name,
                                    parameter.size, filters.outer, filters.count, filters.inner);
            }
            normalize_tensor(d, w, filters, normalization);
        }
    }
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
