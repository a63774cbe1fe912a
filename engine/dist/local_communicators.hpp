#pragma once

#include <memory>
#include <vector>

#include "backend/communicator.hpp"

namespace lossmap {

/// The only rank.
[[nodiscard]] std::unique_ptr<Communicator> make_single_communicator();

/// Ranks that are threads of this process: one communicator for each, to be used by one thread each. A rank that is
/// destroyed while others wait for it makes them throw Error.
[[nodiscard]] std::vector<std::unique_ptr<Communicator>> make_thread_communicators(int ranks);

}  // namespace lossmap
