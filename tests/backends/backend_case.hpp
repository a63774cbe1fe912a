#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap::test {

/// A backend that the suites of this folder run on.
struct BackendCase {
    std::string name;  ///< letters and digits
    std::function<std::shared_ptr<Backend>()> make;
};

/// For GoogleTest's messages.
void PrintTo(const BackendCase& backend, std::ostream* stream);

/// Those of this test program: each program that is linked from the suites brings its own list.
[[nodiscard]] std::vector<BackendCase> backend_cases();

}  // namespace lossmap::test
