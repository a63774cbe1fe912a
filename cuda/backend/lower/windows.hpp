#pragma once

#include "cuda/backend/located.hpp"
#include "graph/ops/window.hpp"
#include "kernels/window.hpp"

namespace lossmap::cuda {

[[nodiscard]] kernels::WindowGeometry geometry_of(const ops::Window& window);
/// Strides of [N, C, spatial ..] in any form.
[[nodiscard]] kernels::PlaneStrides plane_strides(const Located& array);

}  // namespace lossmap::cuda
