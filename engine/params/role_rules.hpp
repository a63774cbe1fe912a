#pragma once

#include <string>

#include "params/parameter_space.hpp"
#include "params/theta_trace.hpp"

namespace lossmap {

/// How sure a use makes that a tensor is a parameter; the strongest use decides its role.
enum class Evidence : std::uint8_t {
    none,   ///< a bound, an exponent, a fill value: no parameter
    weak,   ///< an operand of elementwise arithmetic: a parameter unless its name or values speak against it
    slope,  ///< PRelu
    bias,
    norm,       ///< scale or shift of a normalisation
    statistic,  ///< running mean or variance
    table,      ///< embedding table
    weight,     ///< convolution, dense or recurrent layer
};

/// What one use says about a stored tensor.
struct Finding {
    Evidence evidence = Evidence::none;
    Role role = Role::other;
    int axis = 0;               ///< filter axis of the stored tensor (of two or more dimensions)
    bool packed_gates = false;  ///< [directions, gates, ..]: filters are direction and gate together
    bool widened = false;       ///< exporters may have added dimensions of 1 to what PyTorch holds with one
    bool always_1d = false;     ///< PyTorch holds it with one dimension, whatever the file does
    bool batch_norm = false;
    bool norm = false;
    std::string text;  ///< "weight of Conv 'conv1'"
};

/// Reads the rules of docs/parameters.md for one use of the stored tensor `id`.
[[nodiscard]] Finding finding_of(const ThetaTrace& trace, ValueId id, const Use& use);

/// The strongest finding over all uses; evidence `none` and the text "nothing reads it" when there is no use.
[[nodiscard]] Finding strongest_finding(const ThetaTrace& trace, ValueId id);

}  // namespace lossmap
