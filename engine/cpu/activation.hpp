#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "graph/graph.hpp"

namespace lossmap::cpu {

/// A function applied in place to every element of a result. NaN stays NaN.
struct Activation {
    enum class Kind : std::uint8_t { none, relu, clip } kind = Kind::none;
    float low = 0.0F;
    float high = 0.0F;

    void apply(float* values, std::size_t count) const;
    void apply_to_bf16(std::uint16_t* values, std::size_t count) const;
    /// "", "+relu", "+clip"
    [[nodiscard]] std::string suffix() const;
};

/// The activation that a Relu or Clip node computes; nullopt for other nodes and for bounds that are not constant.
[[nodiscard]] std::optional<Activation> activation_of(const Graph& graph, const Node& node);

}  // namespace lossmap::cpu
