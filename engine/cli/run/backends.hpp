#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.hpp"

namespace lossmap {

/// A backend that lossmap knows of: made, or why it is missing in this build.
struct BackendEntry {
    std::string name;
    std::unique_ptr<Backend> backend;  ///< nullptr where it is missing
    std::string why_missing;
};

/// All backends; the only place that names concrete ones.
[[nodiscard]] std::vector<BackendEntry> known_backends();

/// The backend for "auto", "cpu", "cuda" or "cuda:0,1". `explanation` says what "auto" came to, and why. Throws
/// UnsupportedError when it is missing.
[[nodiscard]] std::unique_ptr<Backend> choose_backend(const std::string& device, std::string& explanation);

}  // namespace lossmap
