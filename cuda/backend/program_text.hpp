#pragma once

#include <string>

#include "cuda/backend/program.hpp"

namespace lossmap::cuda {

/// What the speed of a program depends on beside the size of its passes and the device, as a hash: nodes and their
/// shapes, operations, memory, the library's problems, precision, loss. Of programs of one size: others differ in
/// it.
[[nodiscard]] std::string hash_of(const Program& program, const LossSpec& loss);

}  // namespace lossmap::cuda
