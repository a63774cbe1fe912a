#include "tests/backends/backend_case.hpp"

#include <ostream>

namespace lossmap::test {

void PrintTo(const BackendCase& backend, std::ostream* stream) { *stream << backend.name; }

}  // namespace lossmap::test
