#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/direction_rule.hpp"
#include "params/parameter_space.hpp"

namespace lossmap {

/// A tensor within the weights and what becomes of it in a direction: `outer * count * inner` elements from `offset`
/// on, of which element (o, f, i) belongs to filter f.
struct TensorRule {
    std::int64_t offset = 0;
    std::int64_t outer = 1;
    std::int64_t count = 1;
    std::int64_t inner = 1;
    DirectionRule rule = DirectionRule::keep;

    [[nodiscard]] std::int64_t size() const { return outer * count * inner; }
};

/// Weights in the memory of a device, where executables of the backend that made them read them. Never change.
class ResidentWeights {
public:
    virtual ~ResidentWeights() = default;
    ResidentWeights() = default;
    ResidentWeights(const ResidentWeights&) = delete;
    ResidentWeights& operator=(const ResidentWeights&) = delete;
};

/// The weights of a direction.
struct MadeWeights {
    std::vector<float> weights;
    std::shared_ptr<const ResidentWeights> resident;  ///< the same numbers on the device; nullptr: on the host alone
};

/// Makes random directions of one network where its backend computes. Every implementation gives the same bits. Not
/// thread-safe.
class DirectionMaker {
public:
    virtual ~DirectionMaker() = default;
    DirectionMaker() = default;
    DirectionMaker(const DirectionMaker&) = delete;
    DirectionMaker& operator=(const DirectionMaker&) = delete;

    /// fill_gaussian, then apply_rules against the origin.
    [[nodiscard]] virtual MadeWeights gaussian(std::uint64_t seed, int axis, std::span<const TensorRule> rules) = 0;
};

/// N(0, 1) numbers for every weight, Philox keyed by (seed, axis, parameter name, element).
void fill_gaussian(const ParameterSpace& space, std::uint64_t seed, int axis, std::span<float> direction);

/// Applies each rule to its tensor of `direction`, in place. Norms in fp64; factors are rounded to fp32 before they are
/// applied, as torch multiplies an fp32 tensor by an fp32 scalar.
/// @param origin  weights w of the network, as many as `direction` has
void apply_rules(std::span<const TensorRule> rules, std::span<const float> origin, std::span<float> direction);

/// On the host. `space` and `origin` must outlive it.
[[nodiscard]] std::unique_ptr<DirectionMaker> make_host_direction_maker(const ParameterSpace& space,
                                                                        std::span<const float> origin);

}  // namespace lossmap
