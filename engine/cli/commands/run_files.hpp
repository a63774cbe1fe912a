#pragma once

#include <filesystem>
#include <string>

#include "landscape/surface.hpp"

namespace lossmap {

/// A surface that was computed before, from a run's folder or a surface .h5 (ours or the reference implementation's).
struct StoredRun {
    std::filesystem::path folder;  ///< where what is made from it goes by default
    bool is_run = false;           ///< a run's folder, not a single file
    std::string title;
    Surface surface;
    std::string resolved_config;  ///< "" when there is none
};

/// Throws InputError naming what is missing.
[[nodiscard]] StoredRun read_run(const std::filesystem::path& path);

}  // namespace lossmap
