#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "backend/communicator.hpp"

namespace lossmap::test {

using Communicators = std::vector<std::unique_ptr<Communicator>>;

/// Ranks that the suite of communicators runs on.
struct CommunicatorCase {
    std::string name;  ///< letters and digits
    std::function<Communicators(int ranks)> make;
    int ranks = 1;
    std::function<std::shared_ptr<Backend>()> backend;  ///< that each rank computes on
};

/// For GoogleTest's messages.
void PrintTo(const CommunicatorCase& ranks, std::ostream* stream);

/// Those of this test program: each program that is linked from the suite brings its own list.
[[nodiscard]] std::vector<CommunicatorCase> communicator_cases();

}  // namespace lossmap::test
