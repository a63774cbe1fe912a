#pragma once

#include <string>

namespace lossmap {

/// Of this machine; "unknown" where it cannot be told.
[[nodiscard]] std::string host_name();

}  // namespace lossmap
