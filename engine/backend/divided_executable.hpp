#pragma once

#include <memory>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// One network on several devices: the points of a call are shared out, each executable runs its part on a thread of
/// its own. Since a point's bits depend neither on other points nor on the device, results are those of one device.
/// @param executables  one a device, at least one, all made from the same request. Throws UnsupportedError unless their
///   plans are equal.
[[nodiscard]] std::unique_ptr<Executable> make_divided_executable(std::vector<std::unique_ptr<Executable>> executables);

}  // namespace lossmap
