#pragma once

#include <span>

#include "backend/linear_algebra.hpp"

namespace lossmap::cpu {

/// LinearAlgebra::add_inner_products on threads of the CPU; no bit depends on their number or the instruction set.
void add_inner_products(std::span<const float> rows, int threads, SquareMatrix& gram);

}  // namespace lossmap::cpu
