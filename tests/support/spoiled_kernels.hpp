#pragma once

#include <string>

#include "kernels/kernel_table.hpp"

namespace lossmap::test {

/// host_kernels(), but that one of the stage kernels ("stage", "split_stage", ..) computes something wrong: the first
/// element of its result is off by one. Throws InternalError for a name that is none of them.
[[nodiscard]] kernels::KernelTable kernels_with_a_fault(const std::string& name);

}  // namespace lossmap::test
