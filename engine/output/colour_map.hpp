#pragma once

#include <cstdint>
#include <string>

namespace lossmap {

/// A colour as 0xRRGGBB.
using Colour = std::uint32_t;

/// Perceptually even colour map from dark violet (0) to yellow (1): matplotlib's viridis (CC0), linear between ten
/// entries of its table. `share` outside [0, 1] is clamped.
[[nodiscard]] Colour viridis(double share);

/// "#rrggbb"
[[nodiscard]] std::string hex(Colour colour);

/// Relative luminance 0..1 (WCAG 2.1): decides between dark and bright text on a colour.
[[nodiscard]] double luminance(Colour colour);

}  // namespace lossmap
