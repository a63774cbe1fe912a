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
    Precision precision = Precision::fp32;  ///< that what it makes computes in (in_precision)

    /// How far results may be off: `plain` in fp32; elsewhere ten roundings, since a network of a handful of layers
    /// rounds weights and results of each.
    [[nodiscard]] double tolerance(double plain) const;
};

/// A backend whose requests are all of one precision, whatever they say: for suites that do not ask for one.
[[nodiscard]] std::shared_ptr<Backend> in_precision(std::shared_ptr<Backend> backend, Precision precision);

/// For GoogleTest's messages.
void PrintTo(const BackendCase& backend, std::ostream* stream);

/// Those of this test program: each program that is linked from the suites brings its own list.
[[nodiscard]] std::vector<BackendCase> backend_cases();

}  // namespace lossmap::test
