#pragma once

#include <memory>

#include "backend/backend.hpp"

namespace lossmap {

/// A backend that runs every network on two others and returns the first one's results. Where the second one's differ,
/// it throws Error saying by how much, and names the first value of the graph that does: the second one's layers are
/// held against an interpreter (compare_layers). For tests and for finding what is wrong with a device.
/// @param tolerance  relative: of loss sums, and of outputs and statistics to their largest element
/// What a request points to must outlive the executables, unlike with other backends.
[[nodiscard]] std::unique_ptr<Backend> make_comparing_backend(std::shared_ptr<Backend> reference,
                                                              std::shared_ptr<Backend> tested, double tolerance);

}  // namespace lossmap
