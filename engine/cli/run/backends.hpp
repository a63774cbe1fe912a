#pragma once

#include <filesystem>
#include <functional>
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

/// GPUs that this process sees.
[[nodiscard]] int visible_gpus();

/// Folder in which a GPU's plans are kept from one start of the program to the next: `wanted`, or else
/// $LOSSMAP_PLAN_CACHE, $XDG_CACHE_HOME/lossmap/plans, ~/.cache/lossmap/plans. Empty, for "nothing is kept", where the
/// first of them that is there says "off", and where there is none.
[[nodiscard]] std::filesystem::path plan_cache_folder(const std::string& wanted);

/// The backend for "auto", "cpu", "cuda" or "cuda:0,1". `explanation` says what "auto" came to, and why. Throws
/// UnsupportedError when it is missing.
/// @param plan_cache  a folder, or empty
/// @param notice      gets sentences about it, as long as the backend lives
[[nodiscard]] std::unique_ptr<Backend> choose_backend(const std::string& device,
                                                      const std::filesystem::path& plan_cache,
                                                      const std::function<void(const std::string&)>& notice,
                                                      std::string& explanation);

}  // namespace lossmap
