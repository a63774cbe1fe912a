#pragma once

#include <optional>

#include "core/shape.hpp"

namespace lossmap {

/// The shape in which samples of shape `held` are handed to a model that expects `expected` (-1: any extent): `held`
/// itself, or with extents of 1 put in front or taken away there ([1, 28, 28] for [28, 28] and back). Nothing else is
/// reshaped: empty.
[[nodiscard]] std::optional<Shape> fit_shape(const Shape& held, const Shape& expected);

}  // namespace lossmap
