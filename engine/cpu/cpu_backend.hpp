#pragma once

#include <memory>

#include "backend/backend.hpp"

namespace lossmap {

/// The CPU through oneDNN and own loops, fp32.
[[nodiscard]] std::unique_ptr<Backend> make_cpu_backend();

}  // namespace lossmap
