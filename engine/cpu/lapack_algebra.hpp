#pragma once

#include <memory>

#include "backend/linear_algebra.hpp"

namespace lossmap::cpu {

/// Inner products by own loops, eigenvalues by LAPACK.
/// @param threads  for inner products; their bits do not depend on it. 0: all the process may use
[[nodiscard]] std::unique_ptr<LinearAlgebra> make_lapack_algebra(int threads);

}  // namespace lossmap::cpu
