#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/direction_maker.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// A direction in state space, laid out as the ParameterSpace: flat fp32 segments. `states` is empty when running
/// statistics do not move.
struct Direction {
    std::vector<float> weights;
    std::vector<float> states;
    /// The weights where a backend made them; whoever changes them drops it.
    std::shared_ptr<const ResidentWeights> resident{};
};

enum class Normalization : std::uint8_t { filter, layer, weight, dfilter, dlayer, none };
[[nodiscard]] const char* name_of(Normalization normalization);

/// Which weights a direction leaves where they are (interface: `ignore`).
struct IgnoreSet {
    bool bias = false;
    bool batch_norm = false;       ///< scale and shift of batch normalisations
    bool norm = false;             ///< of any normalisation layer
    bool one_dimensional = false;  ///< "1d"
    [[nodiscard]] bool contains(const Parameter& parameter) const;
};

/// What normalize_direction does to each parameter's tensor, for those who make directions elsewhere.
[[nodiscard]] std::vector<TensorRule> direction_rules(const ParameterSpace& space, Normalization normalization,
                                                      const IgnoreSet& ignore);

/// Gaussian N(0, 1) entries, Philox keyed by (seed, axis, parameter name, element): not normalised, not masked.
[[nodiscard]] Direction random_gaussian(const ParameterSpace& space, std::uint64_t seed, int axis);

/// Scales `direction` in place against `weights` (the origin). Tensors of at most one dimension: zero when ignored,
/// else a copy of the weight (`none` included); others as in the table of reference-behaviour: filter d_i *= |w_i| /
/// (|d_i| + 1e-10), layer d *= |w| / |d|, weight d *= w, dfilter d_i /= |d_i| + 1e-10, dlayer d /= |d|. Norms in fp64.
/// Ignored tensors of more dimensions are zero. Li et al. 2018, section 4.
void normalize_direction(Direction& direction, const ParameterSpace& space, std::span<const float> weights,
                         Normalization normalization, const IgnoreSet& ignore);

/// The plain difference to - from in fp32, never normalised or masked: direction between two trained networks. `states`
/// is filled when `move_states`. Throws InputError when the two have different sizes.
[[nodiscard]] Direction difference(const StateVector& to, const StateVector& from, bool move_states);

/// dot / (|a| |b|) over all weights and states, in fp64; an empty segment counts as zeros. NaN when one of them is
/// zero. Throws InputError when segments that both have differ in size.
[[nodiscard]] double cosine(const Direction& a, const Direction& b);

/// Root mean square cosine of two random directions with n effective entries is 1/sqrt(n); its expected absolute value
/// is sqrt(2 / (pi n)).
[[nodiscard]] double expected_absolute_cosine(std::int64_t entries);

}  // namespace lossmap
